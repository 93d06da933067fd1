// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apigroups names the objects of an installation of the operator by the API groups that it serves.
package apigroups

import (
	"fmt"
	"strings"
)

// The API groups that --apis names.
const (
	Pager          = "pager"
	ServiceCatalog = "servicecatalog"
)

// Set is the API groups that a process serves: one or both.
type Set struct{ Pager, ServiceCatalog bool }

// All are served by default.
var All = Set{Pager: true, ServiceCatalog: true}

// Forms are the sets that an installation can serve. Each has names of its own.
var Forms = []Set{All, {Pager: true}, {ServiceCatalog: true}}

// Parse parses the value of --apis: the short names of API groups, separated by commas. An empty value is an error, on which kubectl-bellhop relies.
func Parse(list string) (Set, error) {
	var set Set
	for name := range strings.SplitSeq(list, ",") {
		switch name {
		case Pager:
			set.Pager = true
		case ServiceCatalog:
			set.ServiceCatalog = true
		default:
			return Set{}, fmt.Errorf("%q is no API group of Bellhop: it has to be %s or %s, or both with a comma between", name, Pager, ServiceCatalog)
		}
	}
	return set, nil
}

// only returns the name of the one group that is served, or "" if both are.
func (a Set) only() string {
	switch a {
	case Set{Pager: true}:
		return Pager
	case Set{ServiceCatalog: true}:
		return ServiceCatalog
	default:
		return ""
	}
}

// ObjectName returns the name of an object of an installation that serves these groups, such as bellhop-webhook-service. That of an
// installation of one group has its name in it, such as bellhop-pager-webhook-service, so that two can be in one namespace.
func (a Set) ObjectName(name string) string {
	if group := a.only(); group != "" {
		name = group + "-" + name
	}
	return "bellhop-" + name
}

// leaseName is the name of the lease of an installation that serves both groups.
const leaseName = "bellhop.gophernetes.io"

// LeaseName returns the name of the lease of the leader, in the operator's namespace.
func (a Set) LeaseName() string {
	if group := a.only(); group != "" {
		return leaseName + "-" + group
	}
	return leaseName
}

// OtherLeases returns the names of the leases of installations that serve some of the same kinds, and are installed in another form.
func (a Set) OtherLeases() []string {
	if a.only() != "" {
		return []string{leaseName}
	}
	return []string{Set{Pager: true}.LeaseName(), Set{ServiceCatalog: true}.LeaseName()}
}
