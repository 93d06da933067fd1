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

package suite

import (
	"os"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/test/internal/audit"
)

// Moment is one since when requests are looked for.
type Moment struct {
	at     time.Time
	offset int64
}

// Requests are the operator's about objects, since a moment. A request may be logged after
// its effect was seen, so that its place in the log does not say when it was made.
func (s *Suite) Requests(since Moment) []audit.Event {
	ginkgo.GinkgoHelper()
	logged, err := audit.Read(s.auditLog, since.offset, s.Cluster.Namespace, s.Cluster.ServiceAccount)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return slices.DeleteFunc(logged, func(e audit.Event) bool { return !e.Received.After(since.at) })
}

// Now is this moment.
func (s *Suite) Now() Moment {
	ginkgo.GinkgoHelper()
	info, err := os.Stat(s.auditLog)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return Moment{at: time.Now(), offset: info.Size()}
}
