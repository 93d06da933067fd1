// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

var (
	cardPattern = regexp.MustCompile(`(?s)<article class="([^"]*)" id="([^"]*)">(.*?)</article>`)
	tagPattern  = regexp.MustCompile(`<[^>]*>`)
)

// cards are the cards of a page, each with its class, its id and the words that a reader sees.
func cards(page string) (cards []string) {
	for _, card := range cardPattern.FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`\d+ \w{3}, \d\d:\d\d:\d\d \S+`).ReplaceAllString(tagPattern.ReplaceAllString(card[3], " "), "TIME")
		cards = append(cards, card[1]+" | "+card[2]+" | "+strings.Join(strings.Fields(text), " "))
	}
	return cards
}

func expectCards(t *testing.T, page string, want ...string) {
	t.Helper()
	if got := cards(page); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func expectText(t *testing.T, page string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not have %q", text)
		}
	}
}

func TestPageHasACardForEachIncident(t *testing.T) {
	i, _, s := startInbox(t)
	page := s.get("/")
	expectText(t, page, "No alerts yet.", "<title>Inbox</title>", "0 firing", "0 resolved")
	expectCards(t, page)

	disk := data{"incident": "disk", "title": "Disk", "name": "disk"}
	update := data{"incident": "disk", "title": "Disk full", "name": "disk", "severity": "Critical", "content": "3 % left"}
	s.send("1", "alert.fired", disk)
	s.send("2", "alert.fired", data{"incident": "other", "title": "Other", "content": "x", "name": "other"})
	s.send("3", "alert.updated", update)
	s.send("3", "alert.updated", update)
	i.Respond(Answer(http.StatusServiceUnavailable, nil))
	s.send("4", "alert.fired", data{"incident": "refused"})
	i.Respond(nil)
	page = s.get("/")
	expectText(t, page, "<title>(2) Inbox</title>", "2 firing", "0 resolved")
	diskHistory := "Fired TIME severity Info Disk Hello KubeCon 👋 Updated TIME received 2 times"
	expectCards(t, page,
		"Critical | incident-disk | Critical Firing Disk full 3 % left default/disk "+diskHistory,
		"Info | incident-other | Info Firing Other x default/other Fired TIME",
	)

	update["state"] = "Resolved"
	s.send("5", "alert.resolved", update)
	page = s.get("/")
	expectText(t, page, "<title>(1) Inbox</title>", "1 firing", "1 resolved")
	expectCards(t, page,
		"Info | incident-other | Info Firing Other x default/other Fired TIME",
		"Critical over | incident-disk | Critical Resolved Disk full 3 % left default/disk "+diskHistory+" Resolved TIME",
	)
	if strings.Contains(page, "alert.") {
		t.Error("the page has the name of an event as it is sent")
	}
}

func TestPageIsLimited(t *testing.T) {
	i, _, s := startInbox(t)
	var all []Message
	for n := range maxIncidents + 2 {
		all = append(all, Message{Incident: fmt.Sprint(n), Accepted: 1, Event: "alert.fired"})
	}
	if data := newPageData(all); len(data.Incidents) != maxIncidents || data.Omitted != 2 || data.Firing != maxIncidents+2 {
		t.Errorf("%d incidents, %d omitted, %d firing", len(data.Incidents), data.Omitted, data.Firing)
	}
	for n := range maxHistory + 1 {
		s.send(fmt.Sprint(n), "alert.updated", data{"content": fmt.Sprint("content ", n)})
	}
	page := s.get("/")
	expectText(t, page, "1 earlier message<", "content 1<", "content 10<")
	if len(i.Messages()) != maxHistory+1 || strings.Contains(page, "content 0<") {
		t.Error("the page has the whole history")
	}
}

func TestPageTimes(t *testing.T) {
	i, _, s := startInbox(t)
	s.send("1", "alert.fired", nil)
	at := i.Messages()[0].ReceivedAt
	expectText(t, s.get("/"), `<time datetime="`+strings.ReplaceAll(at.Format(time.RFC3339), "+", "&#43;")+`">`+at.Format("2 Jan, 15:04:05 MST")+"</time>")
}

func TestPageEscapes(t *testing.T) {
	_, _, s := startInbox(t)
	s.send("1", "alert.fired", data{"title": "<script>alert(1)</script>", "content": "a & <b>\nsecond line", "severity": `"><i>`, "name": "<u>", "incident": `"><s>`})
	s.send("2", "<em>", data{"content": "</script><q>", "name": "<u>", "incident": `"><s>`})
	for _, page := range []string{s.get("/"), readEvent(t, openStream(t, s))["main"]} {
		expectText(t, page, "&lt;script&gt;alert(1)&lt;/script&gt;", "a &amp; &lt;b&gt;\nsecond line", "default/&lt;u&gt;", "&lt;em&gt;", "&#34;&gt;&lt;i&gt;",
			`id="incident-&#34;&gt;&lt;s&gt;"`)
		for _, bad := range []string{"<script>alert", "<b>", "<i>", "<u>", "<s>", "<em>", "<q>"} {
			if strings.Contains(page, bad) {
				t.Errorf("the page has %q", bad)
			}
		}
	}
}

func TestPageLinks(t *testing.T) {
	const none = "\x00"
	for content, want := range map[string]string{
		"see https://example.com/a?b=c&d=e#f.":   "https://example.com/a?b=c&amp;d=e#f",
		"(HTTP://example.com/x)":                 "HTTP://example.com/x",
		"<https://example.com/x>":                "https://example.com/x",
		"https://example.com/wiki/A_(b), and so": "https://example.com/wiki/A_(b)",
		`"https://example.com/x"`:                "https://example.com/x",
		"https://example.com/\u202egnp.exe":      "https://example.com/",
		"javascript:alert(1)":                    none,
		"data:text/html,x":                       none,
		"ftp://example.com":                      none,
		"https://":                               none,
		"https://github.com@evil.example":        none,
		"xhttps://example.com":                   none,
		`https://example.com/'onclick='x`:        "https://example.com/&#39;onclick=&#39;x",
	} {
		_, _, s := startInbox(t)
		s.send("1", "alert.fired", data{"content": content})
		card := cardPattern.FindString(s.get("/"))
		link := regexp.MustCompile(`<a [^>]*>([^<]*)</a>`).FindStringSubmatch(card)
		switch {
		case link == nil && want == none:
		case link == nil || link[1] != want:
			t.Errorf("%q: got link %q, want %q", content, link, want)
		case !strings.Contains(link[0], `target="_blank" rel="noopener noreferrer"`):
			t.Errorf("%q: got %s", content, link[0])
		}
	}
	_, _, s := startInbox(t)
	s.send("1", "alert.fired", data{"content": "a https://one.example, b https://two.example/ c"})
	const link = `<a href="%[1]s" target="_blank" rel="noopener noreferrer">%[1]s</a>`
	expectText(t, s.get("/"), ">a "+fmt.Sprintf(link, "https://one.example")+", b "+fmt.Sprintf(link, "https://two.example/")+" c<")
}

// The page may run its own script and nothing else, and has to be complete in itself.
func TestPagePolicy(t *testing.T) {
	_, _, s := startInbox(t)
	s.send("1", "alert.fired", nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	policy, page := response.Header.Get("Content-Security-Policy"), s.get("/")
	for _, element := range []string{"script", "style"} {
		inline := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(page, -1)
		if len(inline) != 1 || strings.Count(page, "<"+element) != 1 {
			t.Fatalf("want one element %s", element)
		}
		hash := sha256.Sum256([]byte(inline[0][1]))
		if want := "; " + element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "';"; !strings.Contains(policy, want) {
			t.Errorf("%q does not have %q", policy, want)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
		t.Error(policy)
	}
	if bad := regexp.MustCompile(`<[^>]*\s(style|on\w+|src|http-equiv)=|<[^>]*\shref="https?:|url\(|@import`).FindString(page); bad != "" {
		t.Errorf("the page has %s", bad)
	}
	expectText(t, page, `<link rel="icon" type="image/svg+xml" href="data:image/svg&#43;xml;base64,`, `<html lang="en">`, "<noscript>")
	withoutContent := strings.ReplaceAll(page, "👋", "")
	if at := strings.IndexFunc(withoutContent, func(r rune) bool { return unicode.Is(unicode.So, r) }); at >= 0 {
		t.Errorf("the page needs an emoji font: %q", withoutContent[at:at+4])
	}
}

// Each pair of colours that the style sheet uses for text has the contrast of WCAG 2 AA for normal text, in both schemes.
func TestContrast(t *testing.T) {
	backgrounds := map[string][]string{ // of each colour that is used for text
		"text": {"back", "card", "over", "hover"}, "faint": {"back", "card", "over"}, "link": {"back", "card", "over"},
		"firing": {"back", "card"}, "resolved": {"back", "card", "over"},
		"on-info": {"info"}, "on-warning": {"warning"}, "on-critical": {"critical"}, "on-quiet": {"quiet"},
	}
	for _, use := range regexp.MustCompile(`[ ;{](?:color|--text): ([^;]*);`).FindAllStringSubmatch(pageCSS, -1) {
		name := strings.TrimSuffix(strings.TrimPrefix(use[1], "var(--"), ")")
		if _, ok := backgrounds[name]; !ok && !strings.HasPrefix(name, "#") {
			t.Errorf("the background of text in %q is not known here", use[1])
		}
	}
	if strings.Contains(pageCSS, "opacity") || strings.Contains(pageCSS, "filter") {
		t.Error("the style sheet changes colours in a way that is not computed here")
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(pageCSS, -1)
	if len(schemes) != 2 {
		t.Fatalf("got %d colour schemes, want light and dark", len(schemes))
	}
	for n, scheme := range []string{"light", "dark"} {
		colours := map[string]float64{}
		for _, v := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(schemes[n][1], -1) {
			colours[v[1]] = luminance(t, v[2])
		}
		for text, all := range backgrounds {
			for _, background := range all {
				a, okA := colours[text]
				b, okB := colours[background]
				if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); !okA || !okB || contrast < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f:1", scheme, text, background, contrast)
				}
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift int) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}

// openStream opens the stream of server-sent events. It ends with the test.
func openStream(t *testing.T, s *sender) *bufio.Scanner {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("Content-Type is %q", got)
	}
	stream := bufio.NewScanner(response.Body)
	stream.Buffer(nil, 1<<20)
	return stream
}

// readEvent waits for the next event.
func readEvent(t *testing.T, stream *bufio.Scanner) map[string]string {
	t.Helper()
	for stream.Scan() {
		if event, ok := strings.CutPrefix(stream.Text(), "data: "); ok {
			var update map[string]string
			if err := json.Unmarshal([]byte(event), &update); err != nil {
				t.Fatal(err)
			}
			return update
		}
	}
	t.Fatalf("the stream ended: %v", stream.Err())
	return nil
}

func TestEvents(t *testing.T) {
	_, _, s := startInbox(t)
	stream := openStream(t, s)
	if first := readEvent(t, stream); first["title"] != "Inbox" || !strings.Contains(first["main"], "No alerts yet.") {
		t.Errorf("got %q", first)
	}
	s.send("1", "alert.fired", data{"content": "x"})
	want := "Info | incident-one | Info Firing Kubernetes alert for default/kubecon-alert x default/kubecon-alert Fired TIME"
	update := readEvent(t, stream)
	if update["title"] != "(1) Inbox" || !strings.Contains(update["counts"], "1 firing") {
		t.Errorf("got %q", update)
	}
	expectCards(t, update["main"], want)
	if !strings.Contains(s.get("/"), update["main"]) {
		t.Error("the page and the event differ")
	}
	s.send("2", "alert.resolved", data{"content": "x"})
	update = readEvent(t, stream)
	expectCards(t, update["main"], strings.NewReplacer("Info |", "Info over |", "Firing", "Resolved").Replace(want)+" Resolved TIME")
	if update["title"] != "Inbox" || !strings.Contains(update["counts"], "1 resolved") {
		t.Errorf("got %q", update)
	}
}

func TestServeEndsWithAnOpenPage(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(Options{}).Serve(ctx, listener) }()
	stream := openStream(t, &sender{t: t, url: "http://" + listener.Addr().String()})
	readEvent(t, stream)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	lines := 0
	for stream.Scan() {
		lines++
	}
	if err := stream.Err(); err != nil {
		t.Errorf("the stream was cut off after %d more lines: %v", lines, err)
	}
}
