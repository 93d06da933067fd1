// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
)

// foreign are names in comments that are not this module's.
var foreign = map[string]bool{"failurePolicy": true, "iOS": true, "managedFields": true, "matchConditions": true}

var (
	wordsOfText = regexp.MustCompile(`[\pL\pN]+`)
	camelCase   = regexp.MustCompile(`^[a-z][a-z0-9]*[A-Z][A-Za-z0-9]*$`)
	// otherText are directives, markers, addresses and paths, whose words are no names of identifiers.
	otherText = regexp.MustCompile(`^//(\S|\s*\+).*|\S*/\S+`)
)

// names are the names that the module has, as identifiers or in texts such as the tags of fields, and those in lower camel case that its
// comments mention.
type names struct {
	known     map[string]bool
	mentioned []mention
}

type mention struct {
	at   token.Position
	name string
}

func newNames() *names { return &names{known: map[string]bool{}} }

func (n *names) addKnown(file *ast.File) {
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Ident:
			n.known[node.Name] = true
		case *ast.BasicLit:
			for _, word := range wordsOfText.FindAllString(node.Value, -1) {
				n.known[word] = true
			}
		}
		return true
	})
}

func (n *names) addMentioned(files *token.FileSet, file *ast.File) {
	for _, group := range file.Comments {
		for _, comment := range group.List {
			for _, word := range wordsOfText.FindAllString(otherText.ReplaceAllString(comment.Text, ""), -1) {
				if camelCase.MatchString(word) {
					n.mentioned = append(n.mentioned, mention{files.Position(comment.Pos()), word})
				}
			}
		}
	}
}

// unknown returns the names that only comments have: of what was renamed or removed.
func (n *names) unknown() (problems []string) {
	for _, m := range n.mentioned {
		if !n.known[m.name] && !foreign[m.name] {
			problems = append(problems, fmt.Sprintf("%s: the comment mentions %s, which does not exist", m.at, m.name))
		}
	}
	return problems
}
