// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"context"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/event"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// receiver is a receiver of one provider in one mode, and a fake of its service.
type receiver struct {
	name    string // as in the tables of docs/reference/receivers.md
	spec    *v1beta1.CommonReceiverSpec
	keys    []string
	sender  notify.Sender
	service service
}

// service is a fake that records what people see, and the sizes of each message.
type service interface {
	Seen() []notifytest.Seen
	Sizes() []notifytest.Size
}

// receivers returns a receiver of each provider in each of its modes.
func receivers(t *testing.T) []receiver {
	t.Helper()
	events := &apiServer{}
	factory := Factory{Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil), Events: events}
	var all []receiver
	add := func(name string, s service, settings v1beta1.Provider, data map[string]string) {
		secret := map[string][]byte{}
		for key, value := range data {
			secret[key] = []byte(value)
		}
		spec := &v1beta1.CommonReceiverSpec{Provider: settings}
		sender, err := factory.NewSender(spec, secret)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(sender.Close)
		all = append(all, receiver{name: name, spec: spec, keys: slices.Sorted(maps.Keys(data)), sender: sender, service: s})
	}
	for _, f := range notifytest.Fixtures() {
		s := f.NewService(notifytest.FixtureSecret)
		server := notifytest.Serve(s)
		t.Cleanup(server.Close)
		settings, data := f.Receiver(notifytest.FixtureSecret, server.URL)
		add(f.Name(), s, settings, data)
	}
	mail, err := notifytest.NewSMTP(notifytest.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mail.Close)
	add("email", mail, v1beta1.Provider{Email: &v1beta1.EmailProvider{
		Host: mail.Addr(), TLS: v1beta1.EmailTLSNone, From: "a@example.com", To: []string{"b@example.com"},
	}}, nil)
	add("event", events, v1beta1.Provider{Event: &v1beta1.EventProvider{}}, nil)
	return all
}

// apiServer creates Events, and refuses what Kubernetes refuses.
type apiServer struct{ notifytest.Display }

func (s *apiServer) Create(_ context.Context, e event.Event) (existed bool, err error) {
	if !s.Fits(
		notifytest.Size{Part: "note", Used: len(e.Note), Max: 1024}, notifytest.Size{Part: "name", Used: len(e.Name), Max: 253},
		notifytest.Size{Part: "reason", Used: len(e.Reason), Max: 128}, notifytest.Size{Part: "action", Used: len(e.Action), Max: 128},
	) {
		return false, &result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "Event is invalid"}
	}
	return s.Put(notifytest.Seen{ID: e.Name, Text: e.Note}), nil
}

// TestModes compares the modes, of which the documentation is generated, with the senders.
func TestModes(t *testing.T) {
	rows := map[string]receiver{}
	for _, r := range receivers(t) {
		rows[r.name] = r
	}
	for _, reference := range References() {
		if len(reference.Modes) == 0 {
			t.Errorf("%s has no modes", reference.Name)
		}
		for _, mode := range reference.Modes {
			name := notifytest.Fixture{Provider: reference.Name, Mode: mode.Name}.Name()
			r, ok := rows[name]
			if !ok {
				t.Errorf("%s has no fixture in internal/pager/notify/notifytest", name)
				continue
			}
			delete(rows, name)
			checkMode(t, r, mode)
		}
	}
	if len(rows) > 0 {
		t.Errorf("fixtures without a mode: %q", slices.Sorted(maps.Keys(rows)))
	}
}

func checkMode(t *testing.T, r receiver, mode notify.Mode) {
	t.Helper()
	if _, isProber := r.sender.(notify.Prober); isProber != (mode.Probe != "") || (mode.Probe == "") != (mode.ProbeGap == "") {
		t.Errorf("%s: probes: %t, but the mode has %q, %q", r.name, isProber, mode.Probe, mode.ProbeGap)
	}
	for _, key := range r.keys {
		if !slices.Contains(mode.SecretKeys, key) {
			t.Errorf("%s: the Secret has the key %s, which is not one of %q", r.name, key, mode.SecretKeys)
		}
	}
	begins := func(cell string, words ...string) bool {
		first, _, _ := strings.Cut(cell, ",")
		return slices.Contains(words, first)
	}
	if !begins(mode.Repeat, notify.Once, notify.Twice) || begins(mode.Repeat, notify.Once) != (mode.Key != "") {
		t.Errorf("%s: repeat: %q by %q", r.name, mode.Repeat, mode.Key)
	}
	if !begins(mode.Update, notify.InPlace, notify.OwnMessage) || !begins(mode.Resolve, notify.InPlace, notify.OwnMessage) || mode.Sent == "" || mode.Links == "" {
		t.Errorf("%s: %q, %q, %q, %q", r.name, mode.Update, mode.Resolve, mode.Sent, mode.Links)
	}
	quiet := begins(mode.Update, notify.InPlace) && !strings.Contains(mode.Update, notify.MayRing)
	if _, isEditor := r.sender.(notify.Editor); isEditor != quiet {
		t.Errorf("%s: changes a message where it is shown: %t, but the mode has %q", r.name, isEditor, mode.Update)
	}
}

// TestExactlyOneOf: the API server would refuse a provider that the rule of the schema lacks.
func TestExactlyOneOf(t *testing.T) {
	source, err := os.ReadFile("../../../api/pager/v1beta1/receiver_types.go")
	if err != nil {
		t.Fatal(err)
	}
	var members, texts []string
	var shown strings.Builder
	for field := range reflect.TypeFor[v1beta1.Provider]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		members = append(members, "has(self."+name+")")
		texts = append(texts, name)
		shown.WriteString(" + (has(self." + name + ") ? ' " + name + "' : '')")
	}
	for line := range strings.Lines(string(source)) {
		if rule, ok := strings.CutPrefix(line, "// +kubebuilder:validation:XValidation:rule=\"[has("); ok {
			for _, want := range []string{"[" + strings.Join(members, ", ") + "]", strings.Join(members, " || "), shown.String(),
				strings.Join(texts[:len(texts)-1], ", ") + " and " + texts[len(texts)-1]} {
				if !strings.Contains("[has("+rule, want) {
					t.Errorf("the rule of CommonReceiverSpec lacks\n%s", want)
				}
			}
			return
		}
	}
	t.Error("CommonReceiverSpec has no rule that exactly one provider is set")
}

// TestSecretRule: a provider that cannot work without a Secret has a rule, so that the API server names the missing field.
func TestSecretRule(t *testing.T) {
	source, err := os.ReadFile("../../../api/pager/v1beta1/receiver_types.go")
	if err != nil {
		t.Fatal(err)
	}
	factory := Factory{Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)}
	for _, f := range notifytest.Fixtures() {
		settings, _ := f.Receiver(notifytest.FixtureSecret, "http://127.0.0.1:80")
		sender, err := factory.NewSender(&v1beta1.CommonReceiverSpec{Provider: settings}, nil)
		if err == nil {
			sender.Close()
			continue
		}
		if rule := regexp.MustCompile(`!has\(self\.` + f.Provider + `\) \|\|.* has\(self\.secretRef\)`); !rule.Match(source) {
			t.Errorf("%s: %v, and CommonReceiverSpec has no rule like %s", f.Name(), err, rule)
		}
	}
}

// F-B2: a rise of severity notifies in every mode: people see a message that is new.
func TestRiseOfSeverityNotifies(t *testing.T) {
	key := func(n int, externalID string) notify.Key {
		return notify.Key{Delivery: strings.Repeat(string(rune('a'+n)), 32), Incident: strings.Repeat("0", 32), ExternalID: externalID}
	}
	for _, r := range receivers(t) { // TestModes checks that it has all modes
		m := notifytest.Message(result.Fired)
		m.Severity = notify.Info
		first, err := r.sender.Send(t.Context(), m, key(0, ""))
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		before := r.service.Seen()
		if RaisesByReopening(r.spec) {
			end := notifytest.Message(result.Resolved)
			if first, err = r.sender.Send(t.Context(), end, key(1, first.ExternalID)); err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
		}
		m.Severity = notify.Critical
		if _, err := r.sender.Send(t.Context(), m, key(2, first.ExternalID)); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		isNew := func(s notifytest.Seen) bool {
			return !s.Resolved && !slices.ContainsFunc(before, func(old notifytest.Seen) bool { return old.ID == s.ID })
		}
		if seen := r.service.Seen(); !slices.ContainsFunc(seen, isNew) {
			t.Errorf("%s: people see %+v, and before that %+v", r.name, seen, before)
		}
	}
}

// F-P58: where a service lets a message be edited, the former message of a rise or a join says that it is continued, and the end is told by the
// newest. Whatever becomes of that edit, the page is neither failed nor repeated.
func TestFormerMessageIsContinued(t *testing.T) {
	continues := []string{"discord", "matrix", "mattermost, bot", "slack, bot", "telegram"}
	text := func(r receiver, id string) string {
		seen := r.service.Seen()
		if i := slices.IndexFunc(seen, func(s notifytest.Seen) bool { return s.ID == id }); i >= 0 {
			return seen[i].Text
		}
		return ""
	}
	for _, r := range receivers(t) {
		key := func(n int, externalID string) notify.Key {
			return notify.Key{Delivery: strings.Repeat(string(rune('a'+n)), 32), Incident: strings.Repeat("0", 32), ExternalID: externalID}
		}
		send := func(m notify.Message, k notify.Key) result.Receipt {
			t.Helper()
			receipt, err := r.sender.Send(t.Context(), m, k)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			return receipt
		}
		m := notifytest.Message(result.Fired)
		first := send(m, key(0, ""))
		m.Continues = true
		second := send(m, key(1, first.ExternalID))
		if !slices.Contains(continues, r.name) {
			for _, s := range r.service.Seen() {
				if strings.Contains(s.Text, "Continued") {
					t.Errorf("%s: people see %+v", r.name, s)
				}
			}
			continue
		}
		if got := text(r, first.ExternalID); got != "Continued: Hi 🎉\nThis alert continues in the next message." && got != "Continued: Hi 🎉\n\nThis alert continues in the next message." {
			t.Errorf("%s: the former message is %q", r.name, got)
		}
		if got := text(r, second.ExternalID); second.ExternalID == first.ExternalID || !strings.HasPrefix(got, "[Critical] Hi 🎉\n") || !strings.Contains(got, "Hello KubeCon 👋") {
			t.Errorf("%s: the next message is %q", r.name, got)
		}
		third := send(m, key(2, strings.Repeat("9", len(second.ExternalID)))) // whose former message is nowhere
		send(m, key(3, third.ExternalID))
		before := len(r.service.Seen())
		end := notifytest.Message(result.Resolved)
		send(end, key(4, second.ExternalID))
		if seen := r.service.Seen(); len(seen) != before || !strings.HasPrefix(text(r, second.ExternalID), "Resolved: ") || !strings.HasPrefix(text(r, first.ExternalID), "Continued: ") {
			t.Errorf("%s: after the end people see %+v", r.name, seen)
		}
	}
}

// newIn returns whether people see a message that they did not see before.
func newIn(r receiver, before []notifytest.Seen) bool {
	return slices.ContainsFunc(r.service.Seen(), func(s notifytest.Seen) bool {
		return !slices.ContainsFunc(before, func(old notifytest.Seen) bool { return old.ID == s.ID })
	})
}

// What instances have joined is a new message, except where the receiver itself decides who is notified of an alert or incident that is open.
func TestJoinNotifies(t *testing.T) {
	for _, r := range receivers(t) {
		m := notifytest.Message(result.Fired)
		first, err := r.sender.Send(t.Context(), m, notifytest.Key(strings.Repeat("a", 32), ""))
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		before := r.service.Seen()
		if _, err := r.sender.Send(t.Context(), m, notifytest.Key(strings.Repeat("b", 32), first.ExternalID)); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		if want := !RaisesByReopening(r.spec) && r.spec.Alertmanager == nil; newIn(r, before) != want {
			t.Errorf("%s: people see a new message: %t", r.name, !want)
		}
	}
}

// A change of which nobody has to be told is made where the message is shown, or not at all.
func TestQuietChangesNotifyNobody(t *testing.T) {
	incident := strings.Repeat("0", 32)
	for _, r := range receivers(t) {
		editor, ok := r.sender.(notify.Editor)
		if !ok {
			continue
		}
		key := notify.Key{Delivery: strings.Repeat("a", 32), Incident: incident}
		first, err := r.sender.Send(t.Context(), notifytest.Message(result.Fired), key)
		if err != nil || !editor.CanEdit(first.ExternalID) || editor.CanEdit("") || editor.CanEdit("of another provider") {
			t.Errorf("%s: %+v, %v; the message can be changed: %t", r.name, first, err, editor.CanEdit(first.ExternalID))
			continue
		}
		before := r.service.Seen()
		m := notifytest.Message(result.Updated)
		m.Quiet, m.RawContent = true, "Two of three"
		key.Delivery, key.ExternalID = strings.Repeat("b", 32), first.ExternalID
		receipt, err := r.sender.Send(t.Context(), m, key)
		shown := slices.ContainsFunc(r.service.Seen(), func(s notifytest.Seen) bool { return strings.Contains(s.Text, "Two of three") })
		if err != nil || receipt.ExternalID != first.ExternalID || receipt.KeptBack || newIn(r, before) || !shown {
			t.Errorf("%s: %+v, %v; people see %+v", r.name, receipt, err, r.service.Seen())
		}
		if RaisesByReopening(r.spec) || r.spec.Alertmanager != nil { // which have no messages that could be gone
			continue
		}
		key.Delivery, key.ExternalID = strings.Repeat("c", 32), otherID(first.ExternalID)
		receipt, err = r.sender.Send(t.Context(), m, key)
		if !editor.CanEdit(key.ExternalID) || err != nil || !receipt.KeptBack || receipt.Note != result.NoteOfKeptBack || newIn(r, before) {
			t.Errorf("%s: after %q is gone: %+v, %v; people see %+v", r.name, key.ExternalID, receipt, err, r.service.Seen())
		}
	}
}

// otherID returns an external id of the same form, whose message does not exist.
func otherID(id string) string {
	last := "9"
	if strings.HasSuffix(id, last) {
		last = "8"
	}
	return id[:len(id)-1] + last
}
