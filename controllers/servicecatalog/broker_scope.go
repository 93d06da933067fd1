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

package servicecatalog

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// scope is what differs between ClusterServiceBrokers and ServiceBrokers.
type scope struct {
	catalog.Scope
	newBroker func() v1beta1.Broker
	newClass  func() v1beta1.Class
	newPlan   func() v1beta1.Plan
	// deleted is the reason of the event about the release of a broker.
	deleted string
}

// scopes are both.
var scopes = []scope{clusterWide, namespaced}

var clusterWide = scope{
	Scope:     catalog.Cluster,
	newBroker: func() v1beta1.Broker { return &v1beta1.ClusterServiceBroker{} },
	newClass:  func() v1beta1.Class { return &v1beta1.ClusterServiceClass{} },
	newPlan:   func() v1beta1.Plan { return &v1beta1.ClusterServicePlan{} },
	deleted:   v1beta1.ReasonDeletedClusterServiceBrokerSuccessfully,
}

var namespaced = scope{
	Scope:     catalog.Namespaced,
	newBroker: func() v1beta1.Broker { return &v1beta1.ServiceBroker{} },
	newClass:  func() v1beta1.Class { return &v1beta1.ServiceClass{} },
	newPlan:   func() v1beta1.Plan { return &v1beta1.ServicePlan{} },
	deleted:   v1beta1.ReasonDeletedSuccessfully,
}
