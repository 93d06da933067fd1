// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/util/retry"
)

// Values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// WriteFlags are --dry-run and --output of commands that create, change or delete objects.
type WriteFlags struct {
	dryRun string
	print  *genericclioptions.PrintFlags
	// printer separates YAML documents, so that it is one for all objects.
	printer printers.ResourcePrinter
	// isHeld: the object is printed once it was waited for.
	isHeld bool
}

// NewWriteFlags returns the flags with their defaults.
func NewWriteFlags() *WriteFlags {
	return &WriteFlags{dryRun: dryRunNone, print: genericclioptions.NewPrintFlags("").WithTypeSetter(Scheme)}
}

// AddFlags adds --dry-run, --output and the flags for templates.
func (f *WriteFlags) AddFlags(cmd *cobra.Command) {
	f.print.AddFlags(cmd)
	describeOutput(cmd, f.print.AllowedFormats())
	cmd.Flags().StringVar(&f.dryRun, "dry-run", dryRunNone,
		"none; client: print what would be sent, and send nothing; server: have it checked by admission, and store nothing")
	cmd.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{dryRunNone, dryRunClient, dryRunServer}, cobra.ShellCompDirectiveNoFileComp))
}

// Validate checks the flags' values.
func (f *WriteFlags) Validate() error {
	if f.dryRun != dryRunNone && f.dryRun != dryRunClient && f.dryRun != dryRunServer {
		return UsageError("--dry-run=%s: must be none, client or server", f.dryRun)
	}
	if _, err := f.print.ToPrinter(); err != nil && f.Prints() {
		return outputError(f.print, nil)
	}
	return nil
}

// Stores reports whether writes are stored: it is no dry run.
func (f *WriteFlags) Stores() bool { return f.dryRun == dryRunNone }

// IsLocal reports whether nothing is to be sent.
func (f *WriteFlags) IsLocal() bool { return f.dryRun == dryRunClient }

// Prints reports whether --output requests the object rather than a line such as "… created".
func (f *WriteFlags) Prints() bool { return *f.print.OutputFormat != "" }

// AsServerDryRun returns flags by which nothing is stored or printed, for a check before the write itself.
func (f *WriteFlags) AsServerDryRun() *WriteFlags {
	return &WriteFlags{dryRun: dryRunServer, print: f.print, isHeld: true}
}

func (f *WriteFlags) serverDryRun() []string {
	if f.dryRun == dryRunServer {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// Create creates an object unless it is a dry run, and prints it.
func Create[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WriteFlags, client Client[T, L], object T) (T, error) {
	if !f.IsLocal() {
		created, err := client.Create(ctx, object, metav1.CreateOptions{DryRun: f.serverDryRun(), FieldManager: FieldManager})
		if err != nil {
			return object, err
		}
		if err := CheckCreated(object, created); err != nil && f.Stores() {
			return object, err
		}
		object = typed(created)
	}
	return object, f.Report(e, "created", object)
}

// CheckCreated returns an error if a response is not the object that was to be created, as that of a proxy that answers with 200 by itself.
func CheckCreated(object, response Object) error {
	if response.GetUID() == "" || response.GetName() != object.GetName() {
		return fmt.Errorf("the response to the creation of %s is another object, or none: does a proxy answer in place of the API server?", ResourceName(object))
	}
	return nil
}

// Edit changes an object unless it is a dry run, and prints the result: the word done, or unchanged where edit changes nothing. Where another
// client changed the object meanwhile, it is read and edited again.
func Edit[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WriteFlags, client Client[T, L], object T, done string, edit func(T) error) (T, error) {
	options := metav1.PatchOptions{DryRun: f.serverDryRun(), FieldManager: FieldManager}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		edited := object.DeepCopyObject().(T)
		if err := edit(edited); err != nil {
			return err
		}
		patch, err := mergePatch(object, edited)
		if err != nil {
			return err
		}
		switch {
		case patch == nil:
			done = "unchanged"
			return nil
		case f.IsLocal():
			object = edited
			return nil
		}
		changed, err := client.Patch(ctx, object.GetName(), types.MergePatchType, patch, options)
		if err == nil {
			object = typed(changed)
		} else if apierrors.IsConflict(err) {
			if latest, getErr := client.Get(ctx, object.GetName(), metav1.GetOptions{}); getErr == nil {
				object = typed(latest)
			}
		}
		return err
	})
	if err != nil {
		return object, err
	}
	return object, f.Report(e, done, object)
}

// Delete deletes an object unless it is a dry run, and prints it.
func Delete[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WriteFlags, client Client[T, L], object T) error {
	if !f.IsLocal() {
		uid := object.GetUID()
		err := client.Delete(ctx, object.GetName(), metav1.DeleteOptions{DryRun: f.serverDryRun(), Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil {
			return err
		}
	}
	return f.Report(e, "deleted", object)
}

// AsShown reads an object that the user was shown, for a question. It fails if the object is not any more what shown says of it.
func AsShown[T Object, L runtime.Object](ctx context.Context, client Client[T, L], object T, shown func(T) string) (T, error) {
	latest, err := client.Get(ctx, object.GetName(), metav1.GetOptions{})
	if err != nil {
		return object, err
	}
	if latest.GetUID() != object.GetUID() || shown(latest) != shown(object) {
		return object, WithHint(fmt.Errorf("%s has changed since it was shown, and was not deleted", ResourceName(object)), "run the command again: it shows what is deleted now")
	}
	return typed(latest), nil
}

// DeleteShown deletes an object that the user was shown, and has agreed to delete. It fails if the object is not any more what shown says of it.
func DeleteShown[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WriteFlags, client Client[T, L], object T, shown func(T) string) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		latest, err := AsShown(ctx, client, object, shown)
		if err != nil {
			return err
		}
		uid, version := latest.GetUID(), latest.GetResourceVersion()
		return client.Delete(ctx, latest.GetName(), metav1.DeleteOptions{
			DryRun: f.serverDryRun(), Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		})
	})
	if err != nil {
		return err
	}
	return f.Report(e, "deleted", object)
}

// FinishGone waits, with --wait, until deleted objects are gone. Client returns the client of a namespace.
func FinishGone[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WriteFlags, wait *WaitFlags, client func(namespace string) Client[T, L], objects ...T) error {
	if !wait.Wait || !f.Stores() {
		return nil
	}
	for _, object := range objects {
		if err := WaitGone(ctx, e, wait, client(object.GetNamespace()), object); err != nil {
			return err
		}
	}
	return nil
}

// HoldFor has --output print the object only once it was waited for. It reports whether objects are held.
func (f *WriteFlags) HoldFor(wait *WaitFlags) bool {
	f.isHeld = wait.Wait && f.Stores() && f.Prints()
	return f.isHeld
}

// Finish waits, with --wait, until an object is ready, and then prints the object as --output says.
func Finish[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WriteFlags, wait *WaitFlags, client Client[T, L], object T) error {
	return FinishWhen(ctx, e, f, wait, client, object, nil)
}

// FinishWhen is Finish, and ignores states for which isCurrent is false, since they are about an earlier request. Its error ends the wait.
func FinishWhen[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WriteFlags, wait *WaitFlags, client Client[T, L], object T, isCurrent func(T) (bool, error)) error {
	if !wait.Wait || !f.Stores() {
		return nil
	}
	ready, err := WaitReady(ctx, e, wait, client, object, isCurrent)
	if err != nil {
		return err
	}
	f.isHeld = false
	return f.Report(e, "ready", ready)
}

// Report prints an object as --output says: by default a line with the result, the word done.
func (f *WriteFlags) Report(e *Environment, done string, object Object) error {
	if f.isHeld {
		return nil
	}
	switch f.dryRun {
	case dryRunClient:
		done += " (dry run)"
	case dryRunServer:
		done += " (server dry run)"
	}
	if !f.Prints() {
		_, err := fmt.Fprintln(e.Out, ResourceName(object), done)
		return err
	}
	var err error
	if f.printer == nil {
		if f.printer, err = f.print.ToPrinter(); err != nil {
			return err
		}
	}
	printed := runtime.Object(typed(object))
	if f.IsLocal() {
		if printed, err = Manifest(object); err != nil {
			return err
		}
	}
	return f.printer.PrintObj(printed, e.Data())
}

// mergePatch is the JSON merge patch from before to after, which only applies to before's resourceVersion. It is nil where they are the
// same.
func mergePatch(before, after Object) ([]byte, error) {
	original, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	modified, err := json.Marshal(after)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.CreateMergePatch(original, modified)
	if err != nil || string(patch) == "{}" {
		return nil, err
	}
	version := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q}}`, before.GetResourceVersion())
	return jsonpatch.MergeMergePatches(patch, version)
}
