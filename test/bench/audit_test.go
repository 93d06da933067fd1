// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
