// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/gophernetes/bellhop/test/internal/audit"
)

const serviceAccount = "bellhop-controller-manager"

// expectRightsOfOneGroup checks the rights of an operator with one API group, and that it was denied nothing so far.
func expectRightsOfOneGroup(ctx context.Context, group string) {
	GinkgoHelper()
	account := "bellhop-" + group + "-controller-manager"
	rights := kubectl(ctx, "auth can-i --list --namespace default --as=system:serviceaccount:"+system+":"+account)
	AddReportEntry("rights of "+account, rights, ReportEntryVisibilityAlways)
	if group == "pager" {
		Expect(rights).To(MatchRegexp(`(?m)^secrets +\[\] +\[\] +\[get list watch\]$`))
	} else {
		Expect(rights).NotTo(ContainSubstring("pager.k8s.co"))
	}
	log := os.Getenv("AUDIT_LOG")
	if log == "" {
		return
	}
	requests, err := audit.Read(log, 0, system, account)
	Expect(err).NotTo(HaveOccurred())
	Expect(requests).NotTo(BeEmpty())
	for _, r := range requests {
		isLog := r.ObjectRef.Resource == "pods" && r.ObjectRef.Subresource == "log" // only where an administrator permits it
		Expect(r.IsForbidden() && !isLog).To(BeFalse(), r.String())
	}
}

// right is what a rule grants, or a request needs. The name is empty where it does not matter.
type right struct{ group, resource, name, verb string }

func (r right) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s.%s %s", r.verb, r.resource, r.group, r.name))
}

// itUsesItsRights compares the rights of the operator with its requests so far, which are in the audit log.
func itUsesItsRights() {
	It("was denied nothing, and used every right that it has", func(ctx SpecContext) {
		log := os.Getenv("AUDIT_LOG")
		if log == "" {
			Skip("AUDIT_LOG is not set: the audit log of another cluster cannot be read here")
		}
		requests, err := audit.Read(log, 0, system, serviceAccount)
		Expect(err).NotTo(HaveOccurred())
		Expect(len(requests)).To(BeNumerically(">", 1000))
		var denied []string
		used := map[right]bool{}
		for _, r := range requests {
			// A log may be read only where an administrator permits it, which the operator does not know before it tries.
			isLog := r.ObjectRef.Resource == "pods" && r.ObjectRef.Subresource == "log"
			if r.IsForbidden() && !isLog && !isDuringRemoval(r) {
				denied = append(denied, r.String())
			}
			needed := right{r.ObjectRef.APIGroup, r.ObjectRef.Resource, "", r.Verb}
			if r.ObjectRef.Subresource != "" {
				needed.resource += "/" + r.ObjectRef.Subresource
			}
			used[needed] = true
			if r.Creates() {
				used[right{needed.group, needed.resource, "", "create"}] = true
			}
			needed.name = r.ObjectRef.Name
			used[needed] = true
		}
		Expect(denied).To(BeEmpty())

		var unused []string
		for _, granted := range grantedRights(ctx) {
			watched := granted
			watched.verb = "watch"
			isInformers := granted.verb == "list" && used[watched] // they fall back to list
			if !used[granted] && !isInformers && !isRare(granted) {
				unused = append(unused, granted.String())
			}
		}
		slices.Sort(unused)
		Expect(unused).To(BeEmpty())
	})
}

// removals are the times in which rights were taken away while Pods still ended.
var removals []struct{ from, to time.Time }

func isDuringRemoval(r audit.Event) bool {
	return slices.ContainsFunc(removals, func(removal struct{ from, to time.Time }) bool {
		return r.Received.After(removal.from) && r.Received.Before(removal.to)
	})
}

// remove uninstalls. It returns what was printed.
func remove(ctx context.Context, in installer) (printed string) {
	GinkgoHelper()
	recordRemoval(ctx, func() { printed = in.uninstall(ctx) })
	return printed
}

// recordRemoval calls a function that takes rights away, and waits until the Pods have ended.
func recordRemoval(ctx context.Context, uninstall func()) {
	GinkgoHelper()
	from := time.Now()
	uninstall()
	Eventually(func() string {
		return kubectl(ctx, "get pods --namespace "+system+" --selector app.kubernetes.io/name=bellhop -o name")
	}).Should(BeEmpty())
	removals = append(removals, struct{ from, to time.Time }{from, time.Now()})
}

// isRare reports whether a right is for a case that no scenario here can bring about, which the named test does.
func isRare(r right) bool {
	switch r {
	case right{"servicecatalog.k8s.io", "servicebindings/finalizers", "", "update"}:
		// Not a request: the admission plugin OwnerReferencesPermissionEnforcement asks for it where a Secret is made.
		return true
	case right{"events.k8s.io", "events", "", "patch"}, right{"", "events", "", "patch"}:
		// client-go adds to an event that it repeats while the object has the same version.
		return true
	}
	// The API server is asked about an object where the cache lags: internal/kube/consistency, TestTheCacheCatchesUp and
	// TestWhatHasGoneIsNotWaitedFor; controllers/pager/alert, TestNobodyIsForgottenWhomTheCacheDoesNotShow.
	isOwn := r.group == "pager.k8s.co" || r.group == "servicecatalog.k8s.io" || r.resource == "namespaces"
	return r.verb == "get" && isOwn && !strings.Contains(r.resource, "/")
}

// grantedRights returns the rights in the roles that are bound to the operator's ServiceAccount.
func grantedRights(ctx context.Context) (rights []right) {
	GinkgoHelper()
	var bindings struct{ Items []rbacv1.RoleBinding } // a ClusterRoleBinding has the same fields
	Expect(json.Unmarshal([]byte(kubectl(ctx, "get rolebindings,clusterrolebindings --all-namespaces -o json")), &bindings)).To(Succeed())
	for _, b := range bindings.Items {
		if !slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return s.Name == serviceAccount && s.Namespace == system }) || b.RoleRef.Name == "system:auth-delegator" {
			continue
		}
		var role rbacv1.Role
		Expect(json.Unmarshal([]byte(kubectl(ctx, strings.ToLower("get "+b.RoleRef.Kind)+" --namespace "+system+" "+b.RoleRef.Name+" -o json")), &role)).To(Succeed())
		for _, rule := range role.Rules {
			rights = append(rights, rightsOf(rule)...)
		}
	}
	return rights
}

func rightsOf(rule rbacv1.PolicyRule) (rights []right) {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					rights = append(rights, right{group, resource, name, verb})
				}
			}
		}
	}
	return rights
}
