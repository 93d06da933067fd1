// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	_ "embed"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

// sampleRule is one of testdata/rules.yaml.
type sampleRule struct {
	Alert                string
	Each                 []string
	Common               map[string]string
	Summary, Description string
}

//go:embed testdata/rules.yaml
var sampleRules []byte

func readRules(t *testing.T) (rules []sampleRule) {
	t.Helper()
	if err := yaml.UnmarshalStrict(sampleRules, &rules); err != nil || len(rules) < 60 {
		t.Fatalf("%d rules: %v", len(rules), err)
	}
	return rules
}

// suffixOfValues is a part of the labels that differ.
const suffixOfValues = "-7d9c8b6f5c-"

// instance returns an alert of the rule as Prometheus posts it, with templates expanded.
func (r sampleRule) instance(c *cluster, n int) alertmanager.Alert {
	a := c.fire(r.Alert, "", t0)
	delete(a.Labels, "pod")
	maps.Copy(a.Labels, r.Common)
	for _, name := range r.Each {
		a.Labels[name] = name + suffixOfValues + fmt.Sprint(n)
	}
	expand := func(text string) string {
		text = strings.NewReplacer("{{ $value }}", fmt.Sprintf("9%d.5", n), "{{ $labels }}", fmt.Sprint(a.Labels)).Replace(text)
		for name, value := range a.Labels {
			text = strings.ReplaceAll(text, "{{ $labels."+name+" }}", value)
		}
		return text
	}
	a.Annotations = map[string]string{"summary": expand(r.Summary), "description": expand(r.Description)}
	return a
}

// F-B14: each line of a group says which instance.
func TestLinesOfRules(t *testing.T) {
	for _, rule := range readRules(t) {
		c := newCluster(t)
		wantChanges(t, c.post(rule.instance(c, 1), rule.instance(c, 2), rule.instance(c, 3)), Fires)
		lines := strings.Split(c.only().Spec.Content, "\n")
		for _, line := range lines {
			if !strings.Contains(line, suffixOfValues) || strings.Contains(line, "map[") {
				t.Errorf("%s: the line %q has no label that differs", rule.Alert, line)
			}
		}
		if slices.Sort(lines); len(slices.Compact(lines)) != 3 {
			t.Errorf("%s: lines are equal: %q", rule.Alert, lines)
		}
	}
}

// line is an instance with a text and labels, each NAME=VALUE.
func line(key, text string, labels ...string) v1beta1.AlertInstance {
	return v1beta1.AlertInstance{Key: key, Text: text, Labels: strings.Join(labels, labelSeparator)}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		instances []v1beta1.AlertInstance
		want      []string
	}{
		"none":                      {nil, []string{}},
		"nothing is known":          {[]v1beta1.AlertInstance{line("a", ""), line("b", "")}, []string{"", ""}},
		"a former release":          {[]v1beta1.AlertInstance{line("a", "a fails"), line("b", "b fails")}, []string{"a fails", "b fails"}},
		"a former release, equal":   {[]v1beta1.AlertInstance{line("a", "it fails"), line("b", "it fails")}, []string{"it fails (a)", "it fails (b)"}},
		"after an upgrade":          {[]v1beta1.AlertInstance{line("a", "a fails"), line("b", "a pod fails", "job=x", "pod=b")}, []string{"a fails", "job=x, pod=b"}},
		"texts differ":              {[]v1beta1.AlertInstance{line("a", "pod a fails", "pod=a"), line("b", "pod b fails", "pod=b")}, []string{"pod a fails", "pod b fails"}},
		"texts differ by a value":   {[]v1beta1.AlertInstance{line("a", "9% free", "pod=a"), line("b", "8% free", "pod=b")}, []string{"pod=a", "pod=b"}},
		"texts do not":              {[]v1beta1.AlertInstance{line("a", "it fails", "job=x", "pod=a"), line("b", "it fails", "job=x", "pod=b")}, []string{"pod=a", "pod=b"}},
		"two of three do not":       {[]v1beta1.AlertInstance{line("a", "pod x fails", "pod=x", "uid=a"), line("b", "pod x fails", "pod=x", "uid=b"), line("c", "pod y fails", "pod=y", "uid=c")}, []string{"pod=x, uid=a", "pod=x, uid=b", "pod y fails"}},
		"one has no such label":     {[]v1beta1.AlertInstance{line("a", "it fails", "job=x"), line("b", "it fails", "job=x", "pod=b")}, []string{"it fails", "pod=b"}},
		"one":                       {[]v1beta1.AlertInstance{line("a", "it fails", "job=x", "pod=a")}, []string{"job=x, pod=a"}},
		"one that its text names":   {[]v1beta1.AlertInstance{line("a", "it fails at node-7:9100", "instance=node-7:9100", "job=x")}, []string{"it fails at node-7:9100"}},
		"a value within a word":     {[]v1beta1.AlertInstance{line("a", "node-71 fails", "instance=node-7")}, []string{"instance=node-7"}},
		"a text that is cut":        {[]v1beta1.AlertInstance{line("a", "pod a LABELS = map[…", "pod=a"), line("b", "pod b LABELS = map[…", "pod=b")}, []string{"pod=a", "pod=b"}},
		"labels that are shortened": {[]v1beta1.AlertInstance{line("a", "it fails", "id=x…y"), line("b", "it fails", "id=x…y")}, []string{"it fails (a)", "it fails (b)"}},
		"a long label":              {[]v1beta1.AlertInstance{line("a", "it fails", "id="+long+"1", "pod=a"), line("b", "it fails", "id="+long+"2", "pod=b")}, []string{"id=" + long[:41] + "…" + long[:83] + "1, pod=a", "id=" + long[:41] + "…" + long[:83] + "2, pod=b"}},
	} {
		if got := Lines(c.instances); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// F-B14: instances that differ in one label only, whichever that is and however long.
func TestLinesOfInstancesThatHardlyDiffer(t *testing.T) {
	for name, differing := range map[string]func(n int) map[string]string{
		"the end of a long label": func(n int) map[string]string {
			return map[string]string{"url": "https://" + strings.Repeat("x", 4000) + fmt.Sprint(n)}
		},
		"the middle of a long label": func(n int) map[string]string {
			return map[string]string{"url": strings.Repeat("x", 2000) + fmt.Sprint(n) + strings.Repeat("x", 2000)}
		},
		"the beginning of a long label": func(n int) map[string]string {
			return map[string]string{"url": fmt.Sprint(n) + strings.Repeat("x", 4000)}
		},
		"the tenth label": func(n int) map[string]string {
			labels := map[string]string{"l10": fmt.Sprint("value-", n)}
			for other := range 19 {
				if name := fmt.Sprintf("l%02d", other+1); name != "l10" {
					labels[name] = strings.Repeat("x", 100)
				}
			}
			return labels
		},
		"the last of 64 long labels": func(n int) map[string]string {
			labels := map[string]string{"z": fmt.Sprint("value-", n)}
			for other := range 61 {
				labels[fmt.Sprintf("l%02d%s", other, strings.Repeat("l", 50))] = strings.Repeat("x", 1000)
			}
			return labels
		},
	} {
		c := newCluster(t)
		var alerts []alertmanager.Alert
		for n := range 3 {
			a := c.fire("Down", "", t0)
			delete(a.Labels, "pod")
			maps.Copy(a.Labels, differing(n))
			alerts = append(alerts, a)
		}
		wantChanges(t, c.post(alerts...), Fires)
		lines := strings.Split(c.only().Spec.Content, "\n")
		if slices.Sort(lines); len(slices.Compact(lines)) != 3 {
			t.Errorf("%s: lines are equal: %q", name, lines)
		}
		if name == "the tenth label" && lines[0] != "l10=value-0" {
			t.Errorf("%s: %q", name, lines)
		}
	}
}

// No two lines are equal, whatever texts and labels there are, and each is the same in any order of the instances.
func TestLinesDiffer(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 14))
	for range 2000 {
		var instances []v1beta1.AlertInstance
		for n := range 1 + random.IntN(5) {
			i := line(fmt.Sprintf("%016x", n), []string{"it fails", "pod a fails", "pod b fails", strings.Repeat("ä", 128)}[random.IntN(4)])
			for _, name := range []string{"job", "pod", "url"} {
				if value := []string{"", "a", "b", strings.Repeat("x", 300)}[random.IntN(4)]; value != "" {
					i.Labels += strings.Repeat(labelSeparator, min(len(i.Labels), 1)) + name + "=" + value
				}
			}
			instances = append(instances, i)
		}
		want := map[string]string{}
		seen := map[string]bool{}
		for n, line := range Lines(instances) {
			if seen[line] || len(line) > alertmanager.MaxText {
				t.Fatalf("line %q of %+v", line, instances)
			}
			seen[line], want[instances[n].Key] = true, line
		}
		random.Shuffle(len(instances), func(i, j int) { instances[i], instances[j] = instances[j], instances[i] })
		for n, line := range Lines(instances) {
			if want[instances[n].Key] != line {
				t.Fatalf("in another order the line is %q, and not %q", line, want[instances[n].Key])
			}
		}
	}
}

// The record of a former release has neither labels nor summaries. The next posts complete it, without a message; lines of both kinds stand
// side by side. A downgrade loses labels, as a former release does not know them: an upgrade after it is the same.
func TestAnUpgradeWithoutLabels(t *testing.T) {
	for name, post := range map[string]func(*cluster, ...string) []Change{
		"Alertmanager": func(c *cluster, pods ...string) []Change {
			var alerts []alertmanager.Alert
			for _, pod := range pods {
				alerts = append(alerts, c.firing(pod))
			}
			return c.receive(webhook(alertmanager.Firing, alerts...))
		},
		"Prometheus": func(c *cluster, pods ...string) []Change {
			var alerts []alertmanager.Alert
			for _, pod := range pods {
				alerts = append(alerts, c.fire("Down", pod, t0))
			}
			return c.post(alerts...)
		},
	} {
		c := newCluster(t)
		post(c, "a", "b")
		c.edit(func(s *v1beta1.AlertSpec) {
			for n := range s.Instances {
				i := &s.Instances[n]
				i.Text, i.Labels = strings.TrimPrefix(strings.Split(i.Labels, labelSeparator)[0], "pod=")+" fails", ""
			}
			s.Content = "b fails\na fails"
		})
		c.servedSince = c.now
		before := c.only().Spec
		wantChanges(t, c.review())
		for n := range 60 {
			c.now = c.now.Add(time.Minute)
			if changes := post(c, "a", "b"); n > 0 && len(changes) > 0 && changes[0] != Records {
				t.Fatalf("%s: changes are %v", name, changes)
			}
			if got := c.only().Spec; got.Title != before.Title || got.Content != before.Content || !got.JoinedTime.Equal(before.JoinedTime) || got.State != before.State {
				t.Fatalf("%s: got %+v", name, got)
			}
		}
		if got := c.only().Spec.Instances[0]; got.Labels == "" || got.Text != "Down is bad" {
			t.Errorf("%s: the record is %+v", name, got)
		}
		wantChanges(t, post(c, "a", "b", "c"), Grows)
		lines := strings.Split(c.only().Spec.Content, "\n")
		if slices.Sort(lines); !slices.Equal(lines, []string{"pod=a", "pod=b", "pod=c"}) {
			t.Errorf("%s: lines are %q", name, lines)
		}
	}
}

// A group that has all labels of its instance has no labels to record.
func TestAGroupByEveryLabel(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.GroupBy = []string{everyLabel}
	a := c.fire("Down", "a", t0)
	for n := range 10 {
		a.Annotations["summary"] = fmt.Sprint("it fails ", n)
		c.post(a)
	}
	if got := c.only().Spec.Instances[0]; got.Labels != "" || got.Text != "it fails 0" || len(c.writes) != 1 {
		t.Errorf("got %+v, %d writes", got, len(c.writes))
	}
}
