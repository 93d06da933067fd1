// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func TestAnOutcomeIsSaidOnce(t *testing.T) {
	for want, out := range map[string]osbresult.Outcome{
		"HTTP 502 Bad Gateway":            {Status: 502, Description: "HTTP 502 Bad Gateway"},
		"HTTP 422 ConcurrencyError":       {Status: 422, Code: "ConcurrencyError", Description: "HTTP 422 Unprocessable Entity"},
		"HTTP 422 ConcurrencyError: busy": {Status: 422, Code: "ConcurrencyError", Description: "busy"},
		"HTTP 400: no":                    {Status: 400, Description: "no"},
		"no connection":                   {Description: "no connection"},
		"HTTP 400 Odd: " + withheld:       {Status: 400, Code: "Odd", Withheld: true},
		"HTTP 400: the broker's description is not shown, since it may have one of the secrets: their values are more than 4096, or have more than 256 KiB, and the operator looks for no more; see the broker's log": {Status: 400, Withheld: true, TooManySecrets: true},
	} {
		if got := DescribeOutcome(out); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// F-JS15: where a description is withheld, a message has that of an earlier answer with the same status and code.
func TestTheDescriptionOfAnEarlierAnswerIsKept(t *testing.T) {
	const begin = "Unbind call failed: "
	for _, test := range []struct {
		former, want string
		out          osbresult.Outcome
	}{
		{begin + "HTTP 500: in use", begin + "HTTP 500: in use" + saidEarlier, osbresult.Outcome{Status: 500, Withheld: true}},
		{begin + "HTTP 500: in use" + saidEarlier, begin + "HTTP 500: in use" + saidEarlier, osbresult.Outcome{Status: 500, Withheld: true}},
		{begin + "HTTP 500: in use" + saidEarlier, begin + "HTTP 500: locked", osbresult.Outcome{Status: 500, Description: "locked"}},
		{begin + "HTTP 500: in use", begin + "HTTP 502: " + withheld, osbresult.Outcome{Status: 502, Withheld: true}},
		{begin + "HTTP 500: in use", begin + "HTTP 500 Odd: " + withheld, osbresult.Outcome{Status: 500, Code: "Odd", Withheld: true}},
		{begin + "HTTP 500: " + withheld, begin + "HTTP 500: " + withheld, osbresult.Outcome{Status: 500, Withheld: true}},
		{begin + "HTTP 500: " + withheld, begin + "HTTP 500: " + withheldBy(osbresult.Outcome{TooManySecrets: true}), osbresult.Outcome{Status: 500, Withheld: true, TooManySecrets: true}},
		{"Bind call failed: HTTP 500: in use", begin + "HTTP 500: " + withheld, osbresult.Outcome{Status: 500, Withheld: true}},
		{"", begin + "HTTP 500: " + withheld, osbresult.Outcome{Status: 500, Withheld: true}},
	} {
		if got := KeepDescription(begin+DescribeOutcome(test.out), test.former, test.out); got != test.want {
			t.Errorf("after %q: %q, want %q", test.former, got, test.want)
		}
	}
}

// F-JS13: a circuit breaker may delay the attempt, which is no reason for a write.
func TestWithNextAttempt(t *testing.T) {
	next := metav1.NewTime(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC))
	for want, got := range map[string]string{
		"failed (attempt 3 failed, the next is at 2026-06-01T12:00:00Z or later)": WithNextAttempt("failed", &v1beta1.Backoff{Count: 3, NextTime: &next}, ""),
		"failed (retried with ServiceBroker/b, see its status)":                   WithNextAttempt("failed", &v1beta1.Backoff{Count: 3, NextTime: &next}, "ServiceBroker/b"),
		"failed": WithNextAttempt("failed", &v1beta1.Backoff{Count: 3}, ""),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
