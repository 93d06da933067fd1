// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rights

import "github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"

// commandRights are the rights that commands of the plugin need.
type commandRights struct {
	// role is the ClusterRole that gives the rights, and commands are the commands that need them.
	role     string
	commands string
	rights   []Right
	// administrative commands are not for every user: that they are not allowed is no finding.
	administrative bool
}

const (
	pagerView   = "bellhop-pager-view"
	pagerEdit   = "bellhop-pager-edit"
	catalogView = "bellhop-servicecatalog-view"
	catalogEdit = "bellhop-servicecatalog-edit"
	// clusterEdit is Kubernetes' own role. Where roles of Bellhop are aggregated to it, it has their rights, too.
	clusterEdit = "edit"
)

var (
	readSecrets = Right{Resource: "secrets", Verbs: []string{"get"}}
	// ofAlerts and ofServices have a row for each group of commands, and each role that they need.
	ofAlerts = []commandRights{
		{role: pagerView, commands: "alerts", rights: []Right{Of(kinds.Alert, "get", "list")}},
		{role: pagerView, commands: "page --wait", rights: []Right{Of(kinds.Alert, "list", "watch")}},
		{role: pagerEdit, commands: "page", rights: []Right{Of(kinds.Alert, "create")}},
		{role: pagerEdit, commands: "test", rights: []Right{Of(kinds.Alert, "create", "list", "watch", "delete")}},
		{role: pagerEdit, commands: "resolve", rights: []Right{Of(kinds.Alert, "get", "patch")}},
		{role: pagerEdit, commands: "resend", rights: []Right{Of(kinds.Alert, "get", "list", "watch", "patch")}},
		{role: pagerView, commands: "source", rights: []Right{Of(kinds.AlertSource, "get")}},
		{commands: "suspend and resume", administrative: true, rights: []Right{Of(kinds.Receiver, "get", "patch")}},
		{role: clusterEdit, commands: "watch (Deployments)", rights: []Right{{Group: "apps", Resource: "deployments", Verbs: []string{"get", "patch"}}}},
	}
	ofServices = []commandRights{
		{role: "bellhop-servicecatalog-clusterserviceclass-viewer-role", commands: "marketplace (classes of the cluster)",
			rights: []Right{Of(kinds.ClusterServiceClass, "get", "list")}},
		{role: "bellhop-servicecatalog-clusterserviceplan-viewer-role", commands: "marketplace (plans of the cluster)",
			rights: []Right{Of(kinds.ClusterServicePlan, "get", "list")}},
		{role: catalogView, commands: "marketplace (this namespace)", rights: []Right{Of(kinds.ServiceClass, "get", "list"), Of(kinds.ServicePlan, "get", "list")}},
		{role: catalogView, commands: "provision --wait", rights: []Right{Of(kinds.ServiceInstance, "list", "watch")}},
		{role: catalogView, commands: "bind --wait", rights: []Right{Of(kinds.ServiceBinding, "list", "watch")}},
		{role: catalogView, commands: "creds, exec and connect (bindings)", rights: []Right{Of(kinds.ServiceBinding, "get")}},
		{role: catalogEdit, commands: "provision", rights: []Right{Of(kinds.ServiceInstance, "create")}},
		{role: catalogEdit, commands: "update", rights: []Right{Of(kinds.ServiceInstance, "get", "patch")}},
		{role: catalogEdit, commands: "deprovision", rights: []Right{Of(kinds.ServiceInstance, "get", "delete")}},
		{role: catalogEdit, commands: "bind", rights: []Right{Of(kinds.ServiceBinding, "create")}},
		{role: clusterEdit, commands: "bind --inject (Deployments)", rights: []Right{{Group: "apps", Resource: "deployments", Verbs: []string{"get", "patch"}}}},
		{role: catalogEdit, commands: "rotate", rights: []Right{Of(kinds.ServiceBinding, "get", "patch")}},
		{role: catalogEdit, commands: "unbind", rights: []Right{Of(kinds.ServiceBinding, "get", "delete")}},
		{role: clusterEdit, commands: "creds and exec (Secrets)", rights: []Right{readSecrets}},
		{role: clusterEdit, commands: "connect (Services and Pods)", rights: []Right{
			readSecrets, {Resource: "services", Verbs: []string{"get"}}, {Resource: "pods", Verbs: []string{"list"}},
			{Resource: "pods", Subresource: "portforward", Verbs: []string{"create"}},
		}},
		{commands: "register (this namespace)", administrative: true, rights: []Right{Of(kinds.ServiceBroker, "create", "get", "patch", "delete")}},
		{commands: "register (cluster)", administrative: true, rights: []Right{Of(kinds.ClusterServiceBroker, "create", "get", "patch", "delete")}},
	}
)
