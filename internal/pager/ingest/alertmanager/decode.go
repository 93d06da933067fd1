// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/jsonparts"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// DecodeAlerts decodes the body of POST /api/v2/alerts. It fails where the body is no list of alerts.
func DecodeAlerts(body []byte) (Post, error) {
	var post Post
	n, err := post.readAlerts(body, false)
	if err != nil {
		return Post{}, err
	}
	post.reportUnread(n)
	return post, nil
}

// message is the body of a webhook. Other fields are ignored.
type message struct {
	Version         json.RawMessage `json:"version"`
	GroupKey        json.RawMessage `json:"groupKey"`
	ExternalURL     json.RawMessage `json:"externalURL"`
	Receiver        json.RawMessage `json:"receiver"`
	Status          json.RawMessage `json:"status"`
	GroupLabels     json.RawMessage `json:"groupLabels"`
	TruncatedAlerts json.RawMessage `json:"truncatedAlerts"`
	Alerts          json.RawMessage `json:"alerts"`
}

// DecodeWebhook decodes the body of a webhook. It fails where the group is not certain.
func DecodeWebhook(body []byte) (Post, error) {
	var m message
	if err := readObject(body, &m, "the body"); err != nil {
		return Post{}, err
	}
	group, err := m.readGroup()
	if err != nil {
		return Post{}, err
	}
	post := Post{Group: group}
	n, err := post.readAlerts(m.Alerts, true)
	if err != nil {
		return Post{}, fmt.Errorf("alerts: %w", err)
	}
	group.Unlisted += n - len(post.Alerts)
	post.reportUnread(n)
	return post, nil
}

func (m *message) readGroup() (*Group, error) {
	version, err := readText(m.Version, "version")
	if err != nil {
		return nil, err
	}
	if version != "4" && version != "1" { // Grafana's
		return nil, fmt.Errorf("version is %s: it has to be \"4\", or \"1\" as Grafana sends it", quote(version))
	}
	g := &Group{}
	g.Key, _ = readText(m.GroupKey, "groupKey") // a sender need not have them
	g.ExternalURL, _ = readText(m.ExternalURL, "externalURL")
	if g.Receiver, err = readText(m.Receiver, "receiver"); err != nil {
		return nil, err
	}
	if len(g.Receiver) > maxReceiver {
		return nil, fmt.Errorf("receiver has %d bytes: it has to have at most %d", len(g.Receiver), maxReceiver)
	}
	status, err := readText(m.Status, "status")
	if err != nil {
		return nil, err
	}
	if g.State, err = parseState(status); err != nil {
		return nil, err
	}
	labels, err := readPairs(m.GroupLabels, "groupLabels")
	if err != nil {
		return nil, err
	}
	if g.Labels, err = checkPairs(labels, "groupLabels", maxValue); err != nil {
		return nil, err
	}
	var truncated uint32
	if !isAbsent(m.TruncatedAlerts) && json.Unmarshal(m.TruncatedAlerts, &truncated) != nil {
		return nil, fmt.Errorf("truncatedAlerts is %s: it has to be the number of alerts that are left out", quote(string(m.TruncatedAlerts)))
	}
	g.Unlisted = int(truncated)
	return g, nil
}

// readAlerts decodes a list of alerts, and returns how many it has. Those beyond MaxAlerts are not read.
func (p *Post) readAlerts(list []byte, isWebhook bool) (n int, err error) {
	list = bytes.TrimLeft(list, " \t\r\n")
	switch {
	case !bytes.HasPrefix(list, []byte("[")):
		return 0, errors.New("it has to be a list of alerts, in JSON")
	case !json.Valid(list):
		return 0, errors.New("it has to be one list of alerts, in JSON, and is cut off or malformed")
	}
	for text := range jsonparts.Of(list) {
		if n < MaxAlerts {
			p.readAlert(n, text, isWebhook)
		}
		n++
	}
	return n, nil
}

func (p *Post) readAlert(index int, text []byte, isWebhook bool) {
	alert, err := decodeAlert(text, isWebhook)
	switch {
	case err == nil:
		p.Alerts = append(p.Alerts, alert)
	case len(p.Wrong) < maxWrong:
		p.Wrong = append(p.Wrong, Problem{Index: index, Message: err.Error()})
	}
}

// reportUnread reports the first alert that was not read.
func (p *Post) reportUnread(n int) {
	if n > MaxAlerts {
		p.Wrong = append(p.Wrong, Problem{Index: MaxAlerts, Message: fmt.Sprintf("the post has %d alerts: those after the first %d are not read", n, MaxAlerts)})
	}
}

// fields are the fields of an alert of either format. Other fields are ignored.
type fields struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	Status       string            `json:"status"`
	GeneratorURL string            `json:"generatorURL"`
	SilenceURL   string            `json:"silenceURL"`
	DashboardURL string            `json:"dashboardURL"`
}

func decodeAlert(text []byte, isWebhook bool) (a Alert, err error) {
	f, err := readFields(text, isWebhook)
	if err != nil {
		return Alert{}, err
	}
	if a.Labels, err = checkPairs(f.Labels, "labels", maxValue); err != nil {
		return Alert{}, err
	}
	if len(a.Labels) == 0 {
		return Alert{}, errors.New("labels has no label with a value: it has to have one, such as alertname")
	}
	if a.Annotations, err = checkPairs(f.Annotations, "annotations", 0); err != nil {
		return Alert{}, err
	}
	if isWebhook { // Flux sends a status to the API as well, where the times decide
		if a.State, err = parseState(f.Status); err != nil {
			return Alert{}, err
		}
	}
	a.GeneratorURL, a.SilenceURL, a.DashboardURL = shortURL(f.GeneratorURL), shortURL(f.SilenceURL), shortURL(f.DashboardURL)
	return a, f.parseTimes(&a)
}

// readFields reads the fields of an alert. Where one has another type than it should, they are read one by one to find out which.
func readFields(text []byte, isWebhook bool) (f fields, err error) {
	if readObject(text, &f, "") == nil {
		return f, nil
	}
	var raw map[string]json.RawMessage
	if err := readObject(text, &raw, "the alert"); err != nil {
		return f, err
	}
	if f.Labels, err = readPairs(raw["labels"], "labels"); err != nil {
		return f, err
	}
	if f.Annotations, err = readPairs(raw["annotations"], "annotations"); err != nil {
		return f, err
	}
	if f.Status, err = readText(raw["status"], "status"); err != nil && isWebhook {
		return f, err
	}
	if f.StartsAt, err = readText(raw["startsAt"], "startsAt"); err != nil {
		return f, err
	}
	f.EndsAt, err = readText(raw["endsAt"], "endsAt")
	return f, err // the alert is right without its URLs
}

func (f *fields) parseTimes(a *Alert) (err error) {
	if a.StartsAt, err = parseTime(f.StartsAt, "startsAt"); err != nil {
		return err
	}
	if a.EndsAt, err = parseTime(f.EndsAt, "endsAt"); err != nil {
		return err
	}
	if !a.EndsAt.IsZero() && a.EndsAt.Before(a.StartsAt) {
		return fmt.Errorf("endsAt is %s: it has to be after startsAt, which is %s", format(a.EndsAt), format(a.StartsAt))
	}
	return nil
}

// readObject decodes an object. Values deeper than the fields of the format are skipped without being decoded, and encoding/json fails at more than
// 10,000 levels.
func readObject(text []byte, into any, name string) error {
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) || json.Unmarshal(text, into) != nil {
		return fmt.Errorf("%s has to be an object, in JSON", name)
	}
	return nil
}

// readPairs decodes labels or annotations. It returns an error for the first value, by name, that is neither a string nor null, which is as an
// empty one.
func readPairs(text json.RawMessage, field string) (map[string]string, error) {
	if isAbsent(text) {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := readObject(text, &raw, field); err != nil {
		return nil, err
	}
	pairs := make(map[string]string, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		value, err := readText(raw[name], field+"["+quote(name)+"]")
		if err != nil {
			return nil, err
		}
		pairs[name] = value
	}
	return pairs, nil
}

// checkPairs removes the pairs with an empty value from labels or annotations, as Alertmanager does, and returns them. It refuses a value that is
// longer than maxBytes; with maxBytes 0 it shortens values to maxAnnotation bytes.
func checkPairs(pairs map[string]string, field string, maxBytes int) (map[string]string, error) {
	if len(pairs) > maxPairs {
		return nil, fmt.Errorf("%s has %d items: it has to have at most %d", field, len(pairs), maxPairs)
	}
	for _, name := range slices.Sorted(maps.Keys(pairs)) { // the first that is wrong is reported
		switch value := pairs[name]; {
		case name == "" || len(name) > maxName:
			return nil, fmt.Errorf("%s has the name %s of %d bytes: it has to have 1 to %d", field, quote(name), len(name), maxName)
		case maxBytes > 0 && len(value) > maxBytes:
			return nil, fmt.Errorf("%s[%s] has %d bytes: it has to have at most %d", field, quote(name), len(value), maxBytes)
		case value == "":
			delete(pairs, name)
		default:
			pairs[name] = redact.Shorten(value, max(maxBytes, maxAnnotation))
		}
	}
	return pairs, nil
}

func readText(text json.RawMessage, field string) (value string, err error) {
	if !isAbsent(text) && json.Unmarshal(text, &value) != nil {
		return "", fmt.Errorf("%s is %s: it has to be a string", field, quote(string(text)))
	}
	return value, nil
}

func parseState(value string) (State, error) {
	switch state := State(value); state {
	case Firing, Resolved:
		return state, nil
	}
	return "", fmt.Errorf("status is %s: it has to be %s or %s", quote(value), Firing, Resolved)
}

// parseTime parses a time. The zero time, which Go programs send for one that is not set, is as one that is not there, as is one before 1970.
func parseTime(value, field string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is %s: it has to be a time such as 2026-01-31T12:00:00Z", field, quote(value))
	}
	if t.Unix() <= 0 {
		return time.Time{}, nil
	}
	return t.UTC(), nil
}

// shortURL returns a URL for people. One that is too long to be shown is left out.
func shortURL(value string) string {
	if len(value) > maxURL {
		return ""
	}
	return value
}

func isAbsent(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

func format(t time.Time) string { return t.Format(time.RFC3339) }

// quote returns the beginning of a value as an error shows it: without control characters, since a log shows it as well.
func quote(value string) string {
	return fmt.Sprintf("%q", strings.ToValidUTF8(redact.Shorten(value, maxShown), "�"))
}
