// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const rbacIntroduction = `# RBAC

The manifests and the chart create these roles and bind those of the operator.
An installation for [some namespaces](../install/namespaces.md) has fewer rights.
This page is generated from ` + "`config/rbac` and `config/aggregated-roles`, see `hack/reference`" + `.

## Roles of the operator

The manifests bind them to the ServiceAccount ` + "`bellhop-controller-manager` in `bellhop-system`" + `.
An operator with [one API group](../install/one-api-group.md) has the role with the group in its name in place of ` + "`bellhop-manager-role`" + `, and the others with the group in their names.
[Permissions of the operator](../explanation/security.md#permissions-of-the-operator) has the reason for each rule.
`

const userRoles = `
## Roles for users

No binding refers to these roles: bind them to users, groups and ServiceAccounts.
The column *aggregated to* names the role of the cluster that gets the same permissions with ` + "`config/aggregated-roles`, or with the Helm value `aggregatedRoles`" + `.
Controllers of the [Service Binding specification](https://servicebinding.io) select one role by its label ` + "`" + serviceBindingLabel + "`" + `, in every installation.
[Permissions of users](../explanation/security.md#permissions-of-users) explains what each permission allows in effect.
`

// namePrefix and operatorNamespace are what config/default adds to the names of config/rbac.
const (
	namePrefix        = "bellhop-"
	operatorNamespace = namePrefix + "system"
)

// serviceBindingLabel is the label by which the Service Binding specification aggregates roles.
const serviceBindingLabel = "servicebinding.io/controller"

// role is a Role, a ClusterRole or a binding.
type role struct {
	rbacv1.ClusterRole
	RoleRef rbacv1.RoleRef `json:"roleRef"`
}

func rbacPage() (string, error) {
	files, err := filepath.Glob(filepath.Join("config", "rbac", "*", "*.yaml"))
	if err != nil {
		return "", err
	}
	files = append(files, filepath.Join("config", "rbac", "role.yaml"))
	ofGroup := map[string]string{} // by file
	for _, group := range []string{"pager", "servicecatalog"} {
		file := filepath.Join("config", group, "operator", "role.yaml")
		files, ofGroup[file] = append(files, file), group
	}
	var roles []role
	bound := map[string]bool{} // by kind and name
	for _, file := range files {
		documents, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		reader := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(documents), len(documents))
		for {
			var r role
			if err := reader.Decode(&r); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return "", fmt.Errorf("%s: %w", file, err)
			}
			bound[r.RoleRef.Kind+"/"+r.RoleRef.Name] = true
			if group := ofGroup[file]; group != "" {
				r.Name = group + "-" + r.Name
				bound[r.Kind+"/"+r.Name] = true
			}
			if r.Kind == "Role" || r.Kind == "ClusterRole" {
				roles = append(roles, r)
			}
		}
	}
	aggregated, err := readAggregation()
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(roles, func(a, b role) int { return cmp.Compare(a.Name, b.Name) })

	var ofOperator, ofUsers strings.Builder
	for _, r := range roles {
		name := namePrefix + r.Name
		if !bound[r.Kind+"/"+r.Name] {
			var permissions []string
			for _, rule := range r.Rules {
				permissions = append(permissions, code(append(rule.Resources, rule.NonResourceURLs...)...)+": "+code(rule.Verbs...))
			}
			ofUsers.WriteString(row(code(name), strings.Join(permissions, "; "), cmp.Or(aggregated(name), selectedBy(r))))
			continue
		}
		fmt.Fprintf(&ofOperator, "\n### %s %s\n\n", r.Kind, name)
		if r.Kind == "Role" {
			fmt.Fprintf(&ofOperator, "In the namespace %s.\n", code(operatorNamespace))
		} else {
			ofOperator.WriteString("In all namespaces, and for cluster-scoped kinds.\n")
		}
		ofOperator.WriteString("\n" + header("API group", "resources", "only these names", "verbs"))
		for _, rule := range r.Rules {
			for i, group := range rule.APIGroups {
				rule.APIGroups[i] = cmp.Or(group, "core")
			}
			ofOperator.WriteString(row(code(rule.APIGroups...), code(rule.Resources...), code(rule.ResourceNames...), code(rule.Verbs...)))
		}
	}
	return rbacIntroduction + ofOperator.String() + userRoles + "\n" + header("ClusterRole", "permissions", "aggregated to") + ofUsers.String(), nil
}

// selectedBy returns which other project selects a role by its label; empty: none does.
func selectedBy(r role) string {
	if r.Labels[serviceBindingLabel] != "true" {
		return ""
	}
	return "controllers of servicebinding.io"
}

// readAggregation reads config/aggregated-roles, and returns the roles of the cluster that a ClusterRole is aggregated to.
func readAggregation() (func(clusterRole string) string, error) {
	file := filepath.Join("config", "aggregated-roles", "kustomization.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var component struct {
		Patches []struct {
			Target struct{ Name string }
			Patch  string
		}
	}
	if err := yaml.Unmarshal(text, &component); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	targets := map[string]*regexp.Regexp{} // by the role of the cluster
	for _, patch := range component.Patches {
		target, err := regexp.Compile("^" + patch.Target.Name + "$")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, match := range regexp.MustCompile(`rbac.authorization.k8s.io/aggregate-to-([a-z]+): "true"`).FindAllStringSubmatch(patch.Patch, -1) {
			targets[match[1]] = target
		}
	}
	return func(clusterRole string) string {
		var to []string
		for name, target := range targets {
			if target.MatchString(clusterRole) {
				to = append(to, name)
			}
		}
		slices.Sort(to)
		return code(to...)
	}, nil
}
