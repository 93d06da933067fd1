// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// receiverFinder finds the receivers that a user names.
type receiverFinder struct {
	e         *cli.Environment
	pager     pagerclient.PagerV1beta1Interface
	namespace string
	// flag is what stands before a receiver on the command line, such as "--to=".
	flag string
}

// refs returns the receivers that --to names, each once.
func (f *receiverFinder) refs(ctx context.Context, names []string) ([]v1beta1.ReceiverRef, error) {
	var refs []v1beta1.ReceiverRef
	seen := map[v1beta1.ReceiverRef]bool{}
	for _, name := range names {
		ref, err := f.ref(ctx, name)
		if err != nil {
			return nil, err
		}
		if !seen[ref] {
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// ref returns the receiver that a user names. KIND/NAME is taken without a request, so that it may be created later. The kind of NAME is looked
// up, and never assumed: an Alert to a receiver that does not exist notifies no person.
func (f *receiverFinder) ref(ctx context.Context, given string) (v1beta1.ReceiverRef, error) {
	ref, err := parseReceiver(given)
	if err != nil || ref.Kind != "" {
		return ref, err
	}
	ref.Kind = v1beta1.KindReceiver
	_, err = f.pager.Receivers(f.namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		return ref, nil
	case apierrors.IsForbidden(err):
		return ref, f.unknownKind(ctx, ref.Name, err)
	case !apierrors.IsNotFound(err):
		return ref, err
	}
	ref.Kind = v1beta1.KindClusterReceiver
	_, err = f.pager.ClusterReceivers().Get(ctx, ref.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		return ref, nil
	case apierrors.IsForbidden(err):
		return ref, f.unknownKind(ctx, ref.Name, err)
	case !apierrors.IsNotFound(err):
		return ref, err
	}
	return ref, f.notFound(ctx, ref.Name)
}

// unknownKind is the error for a name whose kind the user may not look up.
func (f *receiverFinder) unknownKind(ctx context.Context, name string, forbidden error) error {
	err := f.e.WithMissingGroup(ctx, forbidden)
	if err != forbidden { //nolint:errorlint // it returns the same error
		return err
	}
	hint := fmt.Sprintf("name the kind: %sreceiver/%s or %sclusterreceiver/%s", f.flag, name, f.flag, name)
	if allow := cli.HowToAllow(forbidden); allow != "" {
		hint += "; or " + allow
	}
	return cli.WithHint(fmt.Errorf("the kind of the receiver %q is not known: %s", name, kinds.Reason(forbidden)), "%s", hint)
}

// notFound is the error for a name that no receiver has, with the names that there are.
func (f *receiverFinder) notFound(ctx context.Context, name string) error {
	names, err := f.names(ctx)
	if apierrors.IsNotFound(err) { // the CRDs are not installed
		return err
	}
	err = fmt.Errorf("there is no Receiver %q in namespace %q, and no ClusterReceiver of that name", name, f.namespace)
	if len(names) == 0 {
		return cli.WithHint(err, "there are no receivers yet; kubectl explain receivers.pager.k8s.co.spec says what one needs")
	}
	return cli.WithHint(err, "%s", cli.Suggestion(name, names))
}

// names lists the Receivers of the namespace, and the ClusterReceivers. A ClusterReceiver with the name of a Receiver is listed with its kind. It
// fails only if the user may read neither.
func (f *receiverFinder) names(ctx context.Context) ([]string, error) {
	names, err := cli.NamesOf[*v1beta1.Receiver, *v1beta1.ReceiverList](ctx, f.pager.Receivers(f.namespace))
	wide, clusterErr := cli.NamesOf[*v1beta1.ClusterReceiver, *v1beta1.ClusterReceiverList](ctx, f.pager.ClusterReceivers())
	if err != nil && clusterErr != nil {
		return nil, err
	}
	local := map[string]bool{}
	for _, name := range names {
		local[name] = true
	}
	for _, name := range wide {
		if local[name] {
			name = "clusterreceiver/" + name
		}
		names = append(names, name)
	}
	return names, nil
}

// read reads a receiver.
func (f *receiverFinder) read(ctx context.Context, ref v1beta1.ReceiverRef) (v1beta1.ReceiverObject, error) {
	if ref.Kind == v1beta1.KindClusterReceiver {
		return cli.Get[*v1beta1.ClusterReceiver, *v1beta1.ClusterReceiverList](ctx, f.pager.ClusterReceivers(), ref.Name)
	}
	return cli.Get[*v1beta1.Receiver, *v1beta1.ReceiverList](ctx, f.pager.Receivers(f.namespace), ref.Name)
}

// parseReceiver reads NAME, whose kind is left empty, or KIND/NAME, where kind is written as in commands of kubectl.
func parseReceiver(given string) (v1beta1.ReceiverRef, error) {
	kind, name, hasKind := strings.Cut(strings.TrimSpace(given), "/")
	if !hasKind {
		kind, name = "", kind
	}
	if name == "" {
		return v1beta1.ReceiverRef{}, cli.UsageError("receiver %q has no name: write NAME, receiver/NAME or clusterreceiver/NAME", given)
	}
	plain, group, hasGroup := strings.Cut(strings.ToLower(kind), ".")
	if hasGroup && group != v1beta1.GroupVersion.Group {
		plain = ""
	}
	switch {
	case !hasKind:
		return v1beta1.ReceiverRef{Name: name}, nil
	case plain == "receiver" || plain == "receivers" || plain == "rcv":
		return v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name}, nil
	case plain == "clusterreceiver" || plain == "clusterreceivers" || plain == "crcv":
		return v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: name}, nil
	default:
		return v1beta1.ReceiverRef{}, cli.UsageError("receiver %q: the kind %q must be receiver or clusterreceiver", given, kind)
	}
}

// refText is a receiver as users name it, such as clusterreceiver/oncall.
func refText(ref v1beta1.ReceiverRef) string {
	return strings.ToLower(string(ref.Kind)) + "/" + ref.Name
}

// completeReceivers completes the names of receivers.
func completeReceivers(e *cli.Environment) cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		pager, namespace, err := here(e)
		if err != nil {
			return nil, err
		}
		finder := receiverFinder{e: e, pager: pager, namespace: namespace}
		return finder.names(ctx)
	})
}

// completeList completes the last value of a list with commas.
func completeList(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		start := strings.LastIndex(prefix, ",") + 1
		completions, directive := complete(cmd, strings.Split(prefix[:start], ","), prefix[start:])
		for i := range completions {
			completions[i] = prefix[:start] + completions[i]
		}
		return completions, directive
	}
}
