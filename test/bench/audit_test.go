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

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/hack/local"
)

func TestCountRequests(t *testing.T) {
	const subject, user = "system:serviceaccount:bellhop-system:bellhop", "admin"
	s := &environment{cluster: &local.Cluster{Namespace: "bellhop-system", ServiceAccount: "bellhop"}, auditLogPath: filepath.Join(t.TempDir(), "audit.log")}
	line := func(user, verb, group, resource string) string {
		return fmt.Sprintf(`{"stage":"ResponseComplete","verb":%q,"user":{"username":%q},"objectRef":{"resource":%q,"apiGroup":%q}}`+"\n", verb, user, resource, group)
	}
	before := line(subject, "patch", "servicecatalog.k8s.io", "serviceinstances")
	log := before + strings.Join([]string{
		line(user, "create", "servicecatalog.k8s.io", "serviceinstances"),
		line(subject, "patch", "servicecatalog.k8s.io", "serviceinstances"),
		line(subject, "patch", "servicecatalog.k8s.io", "serviceinstances"),
		line(subject, "create", "", "secrets"),
		line(subject, "get", "", "secrets"),
		line(subject, "delete", "", "secrets"),
		line(subject, "get", "apiextensions.k8s.io", "customresourcedefinitions"),
		line(subject, "create", "events.k8s.io", "events"),
		line(subject, "create", "authentication.k8s.io", "tokenreviews"),
		line(subject, "watch", "servicecatalog.k8s.io", "serviceinstances"),
		strings.Replace(line(subject, "patch", "servicecatalog.k8s.io", "serviceinstances"), "ResponseComplete", "ResponseStarted", 1),
		strings.Replace(line(subject, "patch", "servicecatalog.k8s.io", "serviceinstances"), `"resource"`, `"name":"new","resource"`, 1),
	}, "")
	if err := os.WriteFile(s.auditLogPath, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.countRequests(t.Context(), int64(len(before)), "new")
	if want := (requestCounts{patch: 2, post: 1, del: 1, get: 1, secretGets: 1, events: 1, watches: 1}); err != nil || got != want {
		t.Errorf("%+v, %v: want %+v", got, err, want)
	}
}
