// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
)

// ChangePrinter prints objects as they change, as kubectl get --watch does: the headers of tables once, and columns that keep their width.
type ChangePrinter struct {
	output  ListOutput
	printer printers.ResourcePrinter // nil for tables
	out     io.Writer
	rows    flushWriter
}

// flushWriter is a tabwriter.
type flushWriter interface {
	io.Writer
	Flush() error
}

// NewChangePrinter returns a printer in the format of --output.
func (o *ListOutput) NewChangePrinter(e *Environment) (*ChangePrinter, error) {
	p := &ChangePrinter{output: *o, out: e.Data(), rows: printers.GetNewTabWriter(e.Out)}
	if o.IsTable() {
		return p, nil
	}
	printer, err := o.flags.ToPrinter()
	if err != nil {
		return nil, outputError(o.flags, []string{"table", "wide"})
	}
	p.printer = printer
	return p, nil
}

// Print prints objects, or the table's rows where --output requests a table.
func (p *ChangePrinter) Print(objects []runtime.Object, table *Table) error {
	if p.printer == nil {
		if len(table.Rows) == 0 {
			return nil
		}
		if err := p.output.PrintTable(p.rows, table); err != nil {
			return err
		}
		p.output.noHeaders = true
		return p.rows.Flush()
	}
	for _, object := range objects {
		if err := p.printer.PrintObj(object, p.out); err != nil {
			return err
		}
	}
	return nil
}
