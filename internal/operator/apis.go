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

package operator

import (
	"fmt"
	"strings"
)

// The API groups that --apis names.
const (
	pagerAPI          = "pager"
	serviceCatalogAPI = "servicecatalog"
)

// APIs are the API groups that a process serves: one or both.
type APIs struct{ Pager, ServiceCatalog bool }

// allAPIs are served by default.
var allAPIs = APIs{Pager: true, ServiceCatalog: true}

// parseAPIs parses a comma-separated list.
func parseAPIs(list string) (APIs, error) {
	var a APIs
	for name := range strings.SplitSeq(list, ",") {
		switch name {
		case pagerAPI:
			a.Pager = true
		case serviceCatalogAPI:
			a.ServiceCatalog = true
		default:
			return APIs{}, fmt.Errorf("%q is no API group of Bellhop: it has to be %s or %s, or both with a comma between", name, pagerAPI, serviceCatalogAPI)
		}
	}
	return a, nil
}

// only returns the name of the one group that is served, or "" if both are.
func (a APIs) only() string {
	switch a {
	case APIs{Pager: true}:
		return pagerAPI
	case APIs{ServiceCatalog: true}:
		return serviceCatalogAPI
	default:
		return ""
	}
}

// ObjectName returns the name of an object of an installation that serves these groups, such as bellhop-webhook-service. That of an
// installation of one group has its name in it, such as bellhop-pager-webhook-service, so that two can be in one namespace.
func (a APIs) ObjectName(name string) string {
	if group := a.only(); group != "" {
		name = group + "-" + name
	}
	return "bellhop-" + name
}

// leaseName is the name of the lease of an installation that serves both groups.
const leaseName = "bellhop.gophernetes.io"

// LeaseName returns the name of the lease of the leader, in the operator's namespace.
func (a APIs) LeaseName() string {
	if group := a.only(); group != "" {
		return leaseName + "-" + group
	}
	return leaseName
}

// otherLeases returns the names of the leases of installations that serve some of the same kinds, and are installed in another form.
func (a APIs) otherLeases() []string {
	if a.only() != "" {
		return []string{leaseName}
	}
	return []string{APIs{Pager: true}.LeaseName(), APIs{ServiceCatalog: true}.LeaseName()}
}
