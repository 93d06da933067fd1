// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// style is how branches are drawn.
type style struct {
	branch, last, pass, none string
	// joins stands between objects in one line, ends after a text that was cut.
	joins, ends string
}

var (
	unicode = style{branch: "├─ ", last: "└─ ", pass: "│  ", none: "   ", joins: " → ", ends: "…"}
	ascii   = style{branch: "|- ", last: "`- ", pass: "|  ", none: "   ", joins: " > ", ends: "..."}
)

// maxMessage is the length of a message in characters; describe has all of it.
const maxMessage = 100

// maxPods is how many Pods of a binding are printed; JSON has all of them.
const maxPods = 10

// row is a line of the output.
type row struct{ namespace, name, state, message, color string }

// printTree prints trees as a table with the columns name, state and message, and, if requested, with the namespace.
func printTree(w io.Writer, roots []*Node, s style, namespaces bool) error {
	var rows []row
	for _, root := range roots {
		rows = appendRows(rows, root, s, "", "")
	}
	widths := [3]int{}
	for _, r := range rows {
		for i, cell := range []string{r.namespace, r.name, r.state} {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range rows {
		line := pad(r.name, widths[1]) + "  "
		if namespaces {
			line = pad(r.namespace, widths[0]) + "  " + line
		}
		state, message := r.state, ""
		if r.message != "" {
			state, message = pad(r.state, widths[2]), "  "+r.message
		}
		if state+message == "" {
			line = strings.TrimRight(line, " ")
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
		if err := cli.WriteColored(w, r.color, state); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, message); err != nil {
			return err
		}
	}
	return nil
}

// appendRows adds a node and the nodes below it. first is the text before its name, next the text before its children's branches.
func appendRows(rows []row, n *Node, s style, first, next string) []row {
	name, shown := n.Kind+"/"+n.Name, n
	for n.joined {
		n = n.Children[0]
		name += s.joins + n.Name
		if isGood(shown.State) && !isGood(n.State) {
			shown = n
		}
	}
	r := row{namespace: shown.Namespace, name: first + name, state: shown.State, color: colorOf(shown.State)}
	if !isGood(shown.State) {
		r.message = shorten(shown.Message, s.ends)
		if shown.Reason != "" {
			r.state += " (" + shown.Reason + ")"
		}
	}
	rows = append(rows, r)
	children, hidden := limitPods(n.Children)
	for i, child := range children {
		if i+1 < len(children) || hidden > 0 {
			rows = appendRows(rows, child, s, next+s.branch, next+s.pass)
		} else {
			rows = appendRows(rows, child, s, next+s.last, next+s.none)
		}
	}
	if hidden > 0 {
		rows = append(rows, row{namespace: n.Namespace, name: fmt.Sprintf("%sand %d more Pods", next+s.last, hidden)})
	}
	return rows
}

// limitPods returns the children that are printed, and the number of Pods, which are the last children, that are not.
func limitPods(children []*Node) (shown []*Node, hidden int) {
	first := slices.IndexFunc(children, func(n *Node) bool { return n.Kind == kindPod })
	if first < 0 || len(children) <= first+maxPods {
		return children, 0
	}
	return children[:first+maxPods], len(children) - first - maxPods
}

// isGood reports whether a state needs no explanation.
func isGood(state string) bool {
	switch state {
	case kinds.StateReady, "Offered", "Exists", "Sent", "Resolved":
		return true
	default:
		return false
	}
}

// colorOf is the escape sequence of a state: green, red or yellow.
func colorOf(state string) string {
	switch state {
	case "Offered", "Exists":
		return ""
	case kinds.StateStalled, "Failed", "Expired", "Missing", "Empty", "Removed":
		return "\x1b[31m"
	}
	if isGood(state) {
		return "\x1b[32m"
	}
	return "\x1b[33m"
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

// shorten cuts a message to maxMessage characters, between two words where that is possible.
func shorten(message, ends string) string {
	message = strings.Join(strings.Fields(message), " ")
	if utf8.RuneCountInString(message) <= maxMessage {
		return message
	}
	cut := string([]rune(message)[:maxMessage-utf8.RuneCountInString(ends)])
	if blank := strings.LastIndex(cut, " "); blank > maxMessage/2 {
		cut = cut[:blank]
	}
	return cut + ends
}
