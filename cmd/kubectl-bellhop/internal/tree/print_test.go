// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"strings"
	"testing"
)

func TestPrintTree(t *testing.T) {
	plan := &Node{Kind: "ClusterServicePlan", Name: "small", State: "Offered", Children: []*Node{
		{Kind: "ServiceInstance", Name: "db", Namespace: "team", State: "Ready", Reason: "ProvisionedSuccessfully", Children: []*Node{
			{Kind: "ServiceBinding", Name: "app", Namespace: "team", State: "Stalled", Reason: "BindCallFailed", Message: strings.Repeat("long word ", 20), Children: []*Node{
				{Kind: "Secret", Name: "app", Namespace: "team", State: "Missing"},
			}},
			{Kind: "ServiceBinding", Name: "b", Namespace: "team", State: "Ready"},
		}},
	}}
	class := &Node{Kind: "ClusterServiceClass", Name: "postgres", State: "Removed", Message: "gone", Children: []*Node{plan}, joined: true}
	broker := &Node{Kind: "ClusterServiceBroker", Name: "acme", State: "Ready", Children: []*Node{class}, joined: true}
	for name, test := range map[string]struct {
		style      style
		namespaces bool
		want       string
	}{
		"unicode": {unicode, false, `
ClusterServiceBroker/acme → postgres → small  Removed                   gone
└─ ServiceInstance/db                         Ready
   ├─ ServiceBinding/app                      Stalled (BindCallFailed)  long word long word long word long word long word long word long word long word long word long…
   │  └─ Secret/app                           Missing
   └─ ServiceBinding/b                        Ready
`},
		"ascii with namespaces": {ascii, true, "\n" +
			"      ClusterServiceBroker/acme > postgres > small  Removed                   gone\n" +
			"team  `- ServiceInstance/db                         Ready\n" +
			"team     |- ServiceBinding/app                      Stalled (BindCallFailed)  long word long word long word long word long word long word long word long word long word long...\n" +
			"team     |  `- Secret/app                           Missing\n" +
			"team     `- ServiceBinding/b                        Ready\n"},
	} {
		var out strings.Builder
		if err := printTree(&out, []*Node{broker}, test.style, test.namespaces); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + out.String(); got != test.want {
			t.Errorf("%s:%s\nwant:%s", name, got, test.want)
		}
	}
}
