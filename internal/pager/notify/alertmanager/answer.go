// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// undocumented returns the error of a success that Alertmanager's API does not document: another status than 200, such as a gateway's,
// and a page for people, as a login page or a captive portal sends it.
func undocumented(resp *outbound.Response) *result.Error {
	e := &result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: notify.StatusLine(resp.StatusCode)}
	switch {
	case notify.IsHTML(resp.Header):
		e.Message += ", but with a web page, which is not Alertmanager's"
	case resp.StatusCode != http.StatusOK:
		e.Message += ", but Alertmanager answers 200"
	default:
		return nil
	}
	return e
}

// classOrder has the classes by the chance that another attempt succeeds. Alertmanager documents no error format, so none is
// Permanent.
var classOrder = []result.Class{result.Unknown, result.Temporary, result.Configuration, result.Unconfirmed}

// combine returns nil where a replica accepted, else the first failure by classOrder with the messages of all.
func combine(failures []*result.Error) *result.Error {
	if slices.Contains(failures, nil) {
		return nil
	}
	e := *slices.MinFunc(failures, func(a, b *result.Error) int {
		return cmp.Or(slices.Index(classOrder, a.Class)-slices.Index(classOrder, b.Class), cmp.Compare(a.RetryAfter, b.RetryAfter))
	})
	if len(failures) > 1 {
		e.Message = "every replica failed: " + strings.Join(failureTexts(failures), "; ")
	}
	return &e
}

// receiptNote returns the number of replicas that accepted, and the failures of the others. An accepted alert may still be
// silenced.
func receiptNote(failures []*result.Error) string {
	missing := failureTexts(failures)
	accepted := fmt.Sprintf("accepted by %d of %d replicas", len(failures)-len(missing), len(failures))
	if len(failures) == 1 {
		accepted = "accepted"
	}
	return strings.Join(append([]string{accepted + "; its routes and silences decide who is notified"}, missing...), "; ")
}

// failureTexts returns the failures with the indices of the replicas in the spec. An address may be a secret.
func failureTexts(failures []*result.Error) []string {
	var texts []string
	for i, failure := range failures {
		if failure != nil {
			texts = append(texts, fmt.Sprintf("urls[%d]: %s", i, failure.Message))
		}
	}
	return texts
}
