//go:build rules

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

// publishedRule is an alerting rule in a rule file of Prometheus.
type publishedRule struct {
	Alert       string            `json:"alert"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// readPublishedRules reads the alerting rules in the files of the folder RULES.
func readPublishedRules(t *testing.T) (rules []publishedRule) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("RULES"), "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("RULES=%q has no rule files: %v", os.Getenv("RULES"), err)
	}
	for _, file := range files {
		var content struct {
			Groups []struct {
				Rules []publishedRule `json:"rules"`
			} `json:"groups"`
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = yaml.Unmarshal(text, &content)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, group := range content.Groups {
			for _, rule := range group.Rules {
				if rule.Alert != "" {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules
}

// usedLabel is a label in a template.
var usedLabel = regexp.MustCompile(`\$labels\.(\w+)`)

// labels returns the names of labels that instances of the rule may have: those in its templates, and those that each target has.
func (r publishedRule) labels() []string {
	names := []string{"instance", "job", "pod"}
	for _, text := range r.Annotations {
		for _, match := range usedLabel.FindAllStringSubmatch(text, -1) {
			names = append(names, match[1])
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "alertname" || name == "severity" || r.Labels[name] != "" })
	slices.Sort(names)
	return slices.Compact(names)
}

// instance returns an alert of the rule as Prometheus posts it. The instances differ in one label, and in their values.
func (r publishedRule) instance(t *testing.T, c *cluster, differing string, n int) alertmanager.Alert {
	t.Helper()
	a := alertmanager.Alert{Labels: map[string]string{"alertname": r.Alert, "severity": "warning"}, Annotations: map[string]string{}, StartsAt: t0, EndsAt: c.now.Add(4 * time.Minute)}
	for name, value := range r.Labels {
		a.Labels[name] = r.expand(t, value, a.Labels, n)
	}
	for _, name := range r.labels() {
		a.Labels[name] = name + "-a"
	}
	a.Labels[differing] = differing + suffixOfValues + fmt.Sprint(n)
	for name, text := range r.Annotations {
		a.Annotations[name] = r.expand(t, text, a.Labels, n)
	}
	return a
}

// expand expands a template. Its functions format the value, which is a number for each instance.
func (r publishedRule) expand(t *testing.T, text string, labels map[string]string, n int) string {
	t.Helper()
	format := func(value any) string { return fmt.Sprint(value) }
	parsed, err := template.New(r.Alert).Option("missingkey=zero").Funcs(template.FuncMap{
		"humanize": format, "humanize1024": format, "humanizeDuration": format, "humanizePercentage": format, "humanizeTimestamp": format,
	}).Parse(`{{$labels := .Labels}}{{$value := .Value}}{{$externalURL := "http://prometheus"}}` + text)
	if err != nil {
		t.Fatalf("%s: %v", r.Alert, err)
	}
	var expanded strings.Builder
	if err := parsed.Execute(&expanded, map[string]any{"Labels": labels, "Value": 90.5 + float64(n)}); err != nil {
		t.Fatalf("%s: %v", r.Alert, err)
	}
	return expanded.String()
}

// F-B14: each line of a group says which instance, whichever label it is in which they differ.
func TestLinesOfPublishedRules(t *testing.T) {
	rules := readPublishedRules(t)
	for _, rule := range rules {
		for _, differing := range rule.labels() {
			c := newCluster(t)
			c.post(rule.instance(t, c, differing, 1), rule.instance(t, c, differing, 2), rule.instance(t, c, differing, 3))
			lines := strings.Split(c.only().Spec.Content, "\n")
			for _, line := range lines {
				if !strings.Contains(line, differing+suffixOfValues) {
					t.Errorf("%s: the line %q does not name %s", rule.Alert, line, differing)
				}
			}
			if slices.Sort(lines); len(slices.Compact(lines)) != 3 {
				t.Errorf("%s: instances that differ in %s have equal lines: %q", rule.Alert, differing, lines)
			}
		}
	}
	t.Logf("%d rules", len(rules))
}
