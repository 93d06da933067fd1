// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
)

// ListOutput is --output of commands that list objects: table and wide are tables, the other formats are cli-runtime's.
type ListOutput struct {
	flags     *genericclioptions.PrintFlags
	noHeaders bool
}

// NewListOutput returns the flags with their defaults.
func NewListOutput() *ListOutput {
	return &ListOutput{flags: genericclioptions.NewPrintFlags("").WithTypeSetter(Scheme).WithDefaultOutput("table")}
}

// AddFlags adds --output and the flags for tables and templates.
func (o *ListOutput) AddFlags(cmd *cobra.Command) {
	o.flags.AddFlags(cmd)
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "Print tables without headers")
	describeOutput(cmd, append([]string{"table", "wide"}, o.flags.AllowedFormats()...))
}

// Table is a table of objects. Cells of wide columns are shown by --output=wide only.
type Table struct {
	Columns []string
	// Wide are further columns.
	Wide []string
	// Rows have a cell for each column, and then for each wide column.
	Rows [][]any
}

// IsTable reports whether a table is to be printed rather than the objects.
func (o *ListOutput) IsTable() bool {
	return *o.flags.OutputFormat == "table" || *o.flags.OutputFormat == "wide"
}

// Print prints objects in the format of --output: as the table, with --output=name as a line for each, else as a List. Of no objects it
// prints none, and tells it on standard error.
func (o *ListOutput) Print(e *Environment, objects []runtime.Object, table *Table, none string) error {
	if o.IsTable() {
		if len(table.Rows) == 0 {
			fmt.Fprintln(e.ErrOut, none)
			return nil
		}
		return o.PrintTable(e.Out, table)
	}
	printed := objects
	if *o.flags.OutputFormat != "name" {
		printed = []runtime.Object{listOf(objects, o.flags.JSONYamlPrintFlags.ShowManagedFields)}
	}
	return o.printAll(e.Data(), printed)
}

// PrintNamed prints objects that the user named, as Print does. It prints a single one as an object rather than as a list, as kubectl get does.
func (o *ListOutput) PrintNamed(e *Environment, objects []runtime.Object, table *Table) error {
	if o.IsTable() || len(objects) != 1 {
		return o.Print(e, objects, table, "")
	}
	return o.printAll(e.Data(), objects)
}

func (o *ListOutput) printAll(w io.Writer, objects []runtime.Object) error {
	printer, err := o.flags.ToPrinter()
	if err != nil {
		return outputError(o.flags, []string{"table", "wide"})
	}
	for _, object := range objects {
		if err := printer.PrintObj(object, w); err != nil {
			return err
		}
	}
	return nil
}

// outputError is of a format that --output does not have.
func outputError(flags *genericclioptions.PrintFlags, also []string) error {
	return UsageError("--output=%s: must be one of %s", *flags.OutputFormat, strings.Join(append(also, flags.AllowedFormats()...), ", "))
}

// PrintTable prints a table without the wide columns, unless --output=wide requests them.
func (o *ListOutput) PrintTable(w io.Writer, t *Table) error {
	wide := *o.flags.OutputFormat == "wide"
	table := &metav1.Table{}
	for _, name := range t.Columns {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	for _, name := range t.Wide {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string", Priority: 1})
	}
	for _, row := range t.Rows {
		cells := make([]any, 0, len(row))
		for _, cell := range row {
			if text, ok := cell.(string); ok {
				cell = orNone(oneLine(text))
			}
			cells = append(cells, cell)
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells})
	}
	return printers.NewTablePrinter(printers.PrintOptions{Wide: wide, NoHeaders: o.noHeaders}).PrintObj(table, w)
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

// oneLine joins the lines of a text, which would break a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// listOf is a List of objects, as kubectl get prints several kinds. Printers leave out the managed fields of an object, but not those in a List.
func listOf(objects []runtime.Object, withManagedFields bool) runtime.Object {
	list := &metav1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
	for _, o := range objects {
		if accessor, err := meta.Accessor(o); err == nil && !withManagedFields {
			accessor.SetManagedFields(nil)
		}
		list.Items = append(list.Items, runtime.RawExtension{Object: o})
	}
	return list
}

// Count is a number with a noun, in plural where that is right.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Stamp formats a time for a message.
func Stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// Age is how long ago a time was, as kubectl prints it.
func Age(at metav1.Time) string {
	if at.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(at.Time))
}

// describeOutput lists the formats in the help of --output, and completes them.
func describeOutput(cmd *cobra.Command, formats []string) {
	flag := cmd.Flags().Lookup("output")
	flag.Usage = "Output format, one of: " + strings.Join(formats, ", ")
	// The flag exists and has no completion yet, so that this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// Objects converts typed objects to a list of the interface.
func Objects[T Object](objects []T) []runtime.Object {
	all := make([]runtime.Object, 0, len(objects))
	for _, o := range objects {
		all = append(all, o)
	}
	return all
}
