/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
