// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// postWithin is how long after the end of an instance a sender that runs has posted something: Prometheus posts each minute.
const postWithin = 5 * time.Minute

// PastEnd says how many instances of a source's Alerts fire past the end that their sender gave them since nothing was posted to the source after
// that; empty: none. Only a post ends them.
func PastEnd(source *v1beta1.AlertSource, alerts []*v1beta1.Alert, now time.Time) string {
	received := source.Status.LastReceivedTime
	if received == nil {
		return ""
	}
	instances, first := 0, time.Time{}
	for _, alert := range alerts {
		if alert.Namespace != source.Namespace || alert.Labels[v1beta1.AlertSourceLabel] != source.Name {
			continue
		}
		for _, i := range alert.Spec.Instances {
			if !isPastEnd(i, received.Time, now) {
				continue
			}
			if instances++; first.IsZero() || i.LapsesAt.Time.Before(first) {
				first = i.LapsesAt.Time
			}
		}
	}
	if instances == 0 {
		return ""
	}
	return fmt.Sprintf("nothing was posted to it since %s, and only posts end what fires past the end that the sender gave it: %s, the first since %s",
		cli.Stamp(received.Time), cli.Count(instances, "instance"), cli.Stamp(first))
}

// isPastEnd reports whether an instance fires past its end, and nothing was received since.
func isPastEnd(i v1beta1.AlertInstance, received, now time.Time) bool {
	return i.EndsAt == nil && i.LapsesAt != nil && now.Sub(i.LapsesAt.Time) > postWithin && !received.After(i.LapsesAt.Time)
}
