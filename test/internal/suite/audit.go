// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
