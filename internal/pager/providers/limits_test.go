// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// The limits of an Alert by its schema, in characters.
const (
	maxTitle   = 256
	maxContent = 16384
	maxName    = 253
)

// units are texts that a service may count or encode in a special way. A text of a test is one unit, repeated.
var units = map[string]string{
	"letters":          "x",
	"quotation marks":  `"`,
	"backslashes":      `\`,
	"line breaks":      "\n",
	"lines":            "x\n",
	"emoji":            "👋",
	"four bytes":       "𝄞",
	"two bytes":        "ü",
	"flags":            "🏴󠁧󠁢󠁷󠁬󠁳󠁿",
	"shortcodes":       ":us: ",
	"ampersands":       "&",
	"angle brackets":   "<",
	"markup":           "*_~`",
	"mentions":         "@a ",
	"control":          "\x01",
	"line separators":  "\u2028",
	"quoted line ends": "\"\r\n",
}

func TestLimits(t *testing.T) {
	for _, r := range receivers(t) {
		t.Run("F-JP3 "+r.name, func(t *testing.T) { checkLimits(t, r.sender, r.service) })
	}
}

// checkLimits checks a sender against the limits of its service: every valid Alert is accepted, a text that fits is sent
// whole, and a text that is one unit longer is cut to a length near the limit.
func checkLimits(t *testing.T, sender notify.Sender, s service) {
	t.Helper()
	for _, why := range slices.Sorted(maps.Keys(units)) {
		t.Run(why, func(t *testing.T) {
			l := &limits{T: t, sender: sender, service: s, unit: units[why]}
			l.largest()
			l.atTheLimit("content", maxContent, func(text string) (title, content string) { return "t", text + "." })
			longest := maxTitle
			if slices.ContainsFunc(s.Sizes(), func(size notifytest.Size) bool { return size.Part == "title" }) {
				longest = 4096 // the fake's limit is above the schema's
			}
			l.atTheLimit("title", longest, func(text string) (title, content string) { return "t " + text + " t", "c" })
		})
	}
}

// limits checks the limits of one service with texts of one unit.
type limits struct {
	*testing.T
	sender  notify.Sender
	service service
	unit    string
}

// sent is the number of messages so far, of which keys are made.
var sent atomic.Int64

// text returns as many units as have at most this number of characters.
func (l *limits) text(characters int) string {
	return strings.Repeat(l.unit, characters/utf8.RuneCountInString(l.unit))
}

func (l *limits) message(event result.Event, title, content string) notify.Message {
	m := notifytest.Message(event)
	m.RawTitle, m.RawContent = title, content
	return m
}

// send sends a message that the service must accept, with keys of its own.
func (l *limits) send(m notify.Message, externalID string) result.Receipt {
	l.Helper()
	key := fmt.Sprintf("%032x", sent.Add(1))
	receipt, err := l.sender.Send(l.Context(), m, notify.Key{Delivery: key, Incident: key, ExternalID: externalID})
	if err != nil {
		l.Fatalf("%s with a title of %d bytes and a content of %d: %v", m.Event, len(m.RawTitle), len(m.RawContent), err)
	}
	for _, size := range l.service.Sizes() {
		if size.Used > size.Max {
			l.Fatalf("%s with a title of %d bytes and a content of %d: %+v", m.Event, len(m.RawTitle), len(m.RawContent), size)
		}
	}
	return receipt
}

// largest sends the largest possible Alert, with each event.
func (l *limits) largest() {
	l.Helper()
	for _, title := range []string{l.text(maxTitle), ""} {
		id := ""
		for _, event := range []result.Event{result.Fired, result.Updated, result.Resolved} {
			m := l.message(event, title, l.text(maxContent))
			m.Name, m.Namespace = strings.Repeat("n", maxName), strings.Repeat("s", 63)
			m.Receiver = "ClusterReceiver/" + strings.Repeat("r", maxName)
			id = l.send(m, id).ExternalID
		}
	}
}

// sample is the outcome of a text of this number of units.
type sample struct {
	units int
	text  string
	note  string
	seen  string // as people see it
	sizes []notifytest.Size
}

func (s sample) whole() bool { return !strings.Contains(s.note, " was cut to ") }

// atTheLimit finds the longest text that the service accepts. It must be sent whole, and a longer one must be cut.
func (l *limits) atTheLimit(part string, longest int, split func(text string) (title, content string)) {
	l.Helper()
	try := func(n int) sample {
		text := strings.Repeat(l.unit, n)
		title, content := split(text)
		receipt := l.send(l.message(result.Fired, title, content), "")
		seen := l.service.Seen()
		return sample{n, notify.Message{RawContent: text}.Content(), receipt.Note, seen[len(seen)-1].Text, l.service.Sizes()}
	}
	units := (longest - len("t  t")) / utf8.RuneCountInString(l.unit)
	fits := try(min(4, units))
	for more := 1; more > 0; {
		more = min(room(try(fits.units-1), fits), units-fits.units)
		if more > 0 {
			fits = try(fits.units + more)
		}
	}
	if !fits.whole() || strings.Contains(fits.seen, mark) || !strings.Contains(visible(fits.seen), visible(fits.text)) {
		l.Fatalf("a %s of %d fits, but people see %.50q of %.50q: %s %+v", part, fits.units, fits.seen, fits.text, fits.note, fits.sizes)
	}
	if fits.units == units {
		return // the longest that the schema permits
	}
	const frame = 64 // the most that a sender adds to a text
	for n := 1; n <= frame; n *= 2 {
		if cut := try(fits.units + n); !cut.whole() {
			l.checkCut(part, cut)
			return
		}
	}
	l.Errorf("a %s of %d is not cut: %+v", part, fits.units+frame, l.service.Sizes())
}

// room returns the number of further units that the service accepts, where each has the size of the last one.
func room(before, last sample) int {
	units := math.MaxInt
	for i, size := range last.sizes {
		if step := size.Used - before.sizes[i].Used; step > 0 {
			units = min(units, max(0, size.Max-size.Reserve-size.Used)/step)
		}
	}
	return units
}

// mark is the end of a text that was cut.
const mark = "… [cut]"

func (l *limits) checkCut(part string, cut sample) {
	l.Helper()
	if !strings.Contains(cut.seen, mark) {
		l.Errorf("a %s of %d is cut without a mark: %.50q", part, cut.units, cut.seen)
	}
	if !slices.ContainsFunc(cut.sizes, func(s notifytest.Size) bool { return 3*s.Used > 2*(s.Max-s.Reserve) }) { // the length of an escape depends on its neighbors
		l.Errorf("a %s of %d is cut to less than need be: %+v", part, cut.units, cut.sizes)
	}
}

// visible returns a text without white space, which services trim, and without the characters that break mentions.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200b' || r == '\u2060' || r == '\ufffd' {
			return -1
		}
		return r
	}, text)
}
