// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// firstPostWithin is how long after its creation a source may wait for the first post.
const firstPostWithin = 10 * time.Minute

// Silence says since when nothing was posted to a source to which senders can post; empty: something was, or need not be.
func Silence(source *v1beta1.AlertSource, now time.Time) string {
	received, silentAfter := source.Status.LastReceivedTime, time.Duration(source.Spec.SilentAfterSeconds)*time.Second
	switch {
	case kinds.StateOf(source).State != kinds.StateReady:
		return ""
	case received == nil && now.Sub(source.CreationTimestamp.Time) > firstPostWithin:
		return "nothing was ever posted to it, since it was created at " + cli.Stamp(source.CreationTimestamp.Time)
	case received != nil && silentAfter > 0 && now.Sub(received.Time) > silentAfter:
		return fmt.Sprintf("nothing was posted to it since %s, and silentAfterSeconds is %d", cli.Stamp(received.Time), source.Spec.SilentAfterSeconds)
	}
	return ""
}
