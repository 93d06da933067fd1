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
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// Request is what the API server logs of a request.
type Request struct {
	Stage      string
	Received   time.Time `json:"requestReceivedTimestamp"`
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  *struct{ Resource, Namespace, Name, Subresource, APIGroup string }
}

func (r Request) String() string { return r.Verb + " " + r.RequestURI }

// Moment is one since when requests are looked for.
type Moment struct {
	at     time.Time
	offset int64
}

// Requests are the operator's about objects, since a moment. A request may be logged after
// its effect was seen, so that its place in the log does not say when it was made.
func (s *Suite) Requests(since Moment) []Request {
	ginkgo.GinkgoHelper()
	f, err := os.Open(s.auditLog)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	_, err = f.Seek(since.offset, 0)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	user := fmt.Sprintf("system:serviceaccount:%s:%s", s.Cluster.Namespace, s.Cluster.ServiceAccount)
	var requests []Request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Request
		gomega.Expect(json.Unmarshal(lines.Bytes(), &r)).To(gomega.Succeed())
		if r.Stage == "ResponseComplete" && r.Received.After(since.at) && r.User.Username == user && r.ObjectRef != nil {
			requests = append(requests, r)
		}
	}
	gomega.Expect(lines.Err()).NotTo(gomega.HaveOccurred())
	return requests
}

// Now is this moment.
func (s *Suite) Now() Moment {
	ginkgo.GinkgoHelper()
	info, err := os.Stat(s.auditLog)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return Moment{at: time.Now(), offset: info.Size()}
}
