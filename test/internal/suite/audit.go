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

// AuditMark is a moment, with the size of the audit log then.
type AuditMark struct {
	at     time.Time
	offset int64
}

// RequestsSince returns the operator's requests about objects since a mark. The API server may log a request after its effect was
// seen, so that the position in the log alone does not tell when the request was received.
func (s *Suite) RequestsSince(since AuditMark) []audit.Event {
	ginkgo.GinkgoHelper()
	logged, err := audit.Read(s.auditLog, since.offset, s.Cluster.Namespace, s.Cluster.ServiceAccount)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return slices.DeleteFunc(logged, func(e audit.Event) bool { return !e.Received.After(since.at) })
}

// MarkAudit marks the present moment.
func (s *Suite) MarkAudit() AuditMark {
	ginkgo.GinkgoHelper()
	info, err := os.Stat(s.auditLog)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return AuditMark{at: time.Now(), offset: info.Size()}
}
