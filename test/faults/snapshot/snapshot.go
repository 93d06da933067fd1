// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package snapshot writes objects as text that is the same in each run: without ids, times, versions and messages.
package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

var (
	// volatileKeys are members whose values differ from run to run.
	volatileKeys = regexp.MustCompile(`(?i)(time|timestamp|version|hash|message|attempts|lastattemptedreceiver|testedwith|uid|managedfields|resourceversion|annotations|labels|lastoperation|url|address|digest|catalogetag|lasterror|waiting|answerlost|outcomeunknown|sequence|externalid|lastremovedid|redacted|expiresat|renewbefore|issuedat|removeat|instancefingerprint|firingsince|startsat|previousendsat|lapsesat|lapseseconds|receivingsince|receivinguntil)$`)
	// postedKeys are also volatile in Alerts of an AlertSource: how often their instances were written depends on how often they were posted.
	postedKeys = regexp.MustCompile(`(?i)generation$`)
	// readyReasons maps reasons of Ready to one: which of them is set depends on the requests that a fault prevented.
	readyReasons = strings.NewReplacer("InstanceUpdatedSuccessfully", "ProvisionedSuccessfully")
	randomID     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|run-[a-z0-9]{5}`)
)

// Describe returns an object as text, without what differs from run to run, and without other members, such as status.addresses. Of a Secret it
// has the keys only.
func Describe(o client.Object, without ...string) string {
	text, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		return err.Error()
	}
	if s, ok := o.(*corev1.Secret); ok {
		value["data"] = slices.Sorted(maps.Keys(s.Data))
	}
	volatile := volatileKeys.MatchString
	if _, ok := o.(*v1beta1.Alert); ok && o.GetLabels()[v1beta1.AlertSourceLabel] != "" {
		volatile = func(key string) bool { return volatileKeys.MatchString(key) || postedKeys.MatchString(key) }
	}
	for _, path := range without {
		remove(value, strings.Split(path, "."))
	}
	text, err = json.Marshal(withoutVolatile(value, volatile))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%T ", o)[1:] + proxy.StripRunName(o.GetName()) + " " + readyReasons.Replace(WithoutIDs(proxy.StripRunName(string(text))))
}

// remove removes the member with a path from a JSON value, and from each element of a list.
func remove(value any, path []string) {
	switch v := value.(type) {
	case map[string]any:
		if len(path) == 1 {
			delete(v, path[0])
			return
		}
		remove(v[path[0]], path[1:])
	case []any:
		for _, element := range v {
			remove(element, path)
		}
	}
}

// withoutVolatile removes the members of a JSON value that differ from run to run.
func withoutVolatile(value any, isVolatile func(key string) bool) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, member := range v {
			if key == "deletionTimestamp" || !isVolatile(key) {
				kept[key] = withoutVolatile(member, isVolatile)
			}
			if key == "endsAt" {
				kept[key] = "…"
			}
			if rows, ok := kept[key].([]any); ok && (key == "deliveries" || key == "instances") { // maps by name; what is at the same time comes in any order
				slices.SortFunc(rows, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
		}
		return kept
	case []any:
		for i := range v {
			v[i] = withoutVolatile(v[i], isVolatile)
		}
	}
	return value
}

// Difference returns the lines of only one of two states: "-" for the expected one, "+" for the present one.
func Difference(expected, state string) string {
	var lines []string
	want, have := strings.Split(expected, "\n"), strings.Split(state, "\n")
	for _, line := range want {
		if !slices.Contains(have, line) {
			lines = append(lines, "  - "+line)
		}
	}
	for _, line := range have {
		if !slices.Contains(want, line) {
			lines = append(lines, "  + "+line)
		}
	}
	return strings.Join(lines, "\n")
}

// WithoutIDs replaces UUIDs and the names of namespaces.
func WithoutIDs(text string) string { return randomID.ReplaceAllString(text, "…") }
