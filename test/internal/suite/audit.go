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
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// Request is what the API server logs of a request.
type Request struct {
	Stage      string
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  *struct{ Resource, Namespace, Name, Subresource, APIGroup string }
}

func (r Request) String() string { return r.Verb + " " + r.RequestURI }

// Requests are the operator's about objects, since an offset in the audit log.
func (s *Suite) Requests(since int64) []Request {
	ginkgo.GinkgoHelper()
	f, err := os.Open(s.auditLog)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	_, err = f.Seek(since, 0)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	user := fmt.Sprintf("system:serviceaccount:%s:%s", s.Cluster.Namespace, s.Cluster.ServiceAccount)
	var requests []Request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Request
		gomega.Expect(json.Unmarshal(lines.Bytes(), &r)).To(gomega.Succeed())
		if r.Stage == "ResponseComplete" && r.User.Username == user && r.ObjectRef != nil {
			requests = append(requests, r)
		}
	}
	gomega.Expect(lines.Err()).NotTo(gomega.HaveOccurred())
	return requests
}

// AuditSize is where the audit log ends now.
func (s *Suite) AuditSize() int64 {
	ginkgo.GinkgoHelper()
	info, err := os.Stat(s.auditLog)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return info.Size()
}
