// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

const kindsIntroduction = `# Kinds

kubectl and the [plugin](../how-to/use-kubectl-bellhop.md) accept the plural, the singular and the short name of a kind, in lower case.
This page is generated from ` + "`config/crd/bases`, see `hack/reference`; [API](api.md)" + ` describes the fields.
`

const kindsText = `
Flux has the kinds Alert and Receiver, too.
In a cluster with both, write ` + "`alerts.pager.k8s.co` and `receivers.pager.k8s.co`" + `.
The original service-catalog has no short names, so its kinds have none here either.

` + "```sh test" + `
kubectl get rcv -o name
` + "```" + `

` + "```text" + `
receiver.pager.k8s.co/oncall
receiver.pager.k8s.co/team-hook
` + "```" + `

## Categories

A category lists the objects of several kinds with one command.

| category | kinds |
| --- | --- |
| ` + "`bellhop`" + ` | all kinds of this page |
| ` + "`svcat`" + ` | the kinds of ` + "`servicecatalog.k8s.io`" + `, as in the original service-catalog |
| ` + "`all`" + ` | the same kinds, so that ` + "`kubectl get all`" + ` lists them |

` + "```sh test" + `
kubectl get bellhop -o name
` + "```" + `

` + "```text" + `
alert.pager.k8s.co/disk-full
…
receiver.pager.k8s.co/team-hook
…
servicebinding.servicecatalog.k8s.io/example-mysql-binding
…
serviceinstance.servicecatalog.k8s.io/example-mysql-instance
…
` + "```" + `

## Columns of kubectl get
`

// definition is what of a CustomResourceDefinition is on the page.
type definition struct {
	Spec struct {
		Group string
		Scope string
		Names struct {
			Kind, Plural, Singular string
			ShortNames, Categories []string
		}
		Versions []struct {
			Name                     string
			Storage                  bool
			AdditionalPrinterColumns []struct {
				Name     string
				Priority int
			}
		}
	}
}

func kindsPage() (string, error) {
	files, err := filepath.Glob(filepath.Join("config", "crd", "bases", "*.yaml"))
	if err != nil {
		return "", err
	}
	slices.SortFunc(files, cmp.Compare)
	var kinds, columns strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		var crd definition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		names := crd.Spec.Names
		var versions, normal, wide []string
		for _, version := range crd.Spec.Versions {
			versions = append(versions, version.Name)
			for _, column := range version.AdditionalPrinterColumns {
				switch {
				case !version.Storage:
				case column.Priority == 0:
					normal = append(normal, column.Name)
				default:
					wide = append(wide, column.Name)
				}
			}
		}
		kinds.WriteString(row(code(names.Kind), code(crd.Spec.Group), code(versions...), crd.Spec.Scope,
			code(names.Plural, names.Singular), code(names.ShortNames...), code(names.Categories...)))
		columns.WriteString(row(code(names.Kind), upper(normal), upper(wide)))
	}
	return kindsIntroduction + "\n" + header("kind", "API group", "versions", "scope", "plural and singular", "short name", "categories") + kinds.String() +
		kindsText + "\n" + header("kind of the object", "columns", "more columns with `-o wide`") + columns.String(), nil
}

// upper returns the titles of columns as kubectl prints them.
func upper(columns []string) string { return strings.ToUpper(strings.Join(columns, ", ")) }
