// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Target names an object, as a user does.
type Target struct {
	// Kinds are the kinds that the user may mean: a broker is a ServiceBroker or a ClusterServiceBroker.
	Kinds []*Kind
	Name  string
}

// ParseTargets reads arguments as KIND/NAME… or KIND NAME…, of the kinds that a command takes.
func ParseTargets(args []string, among []*Kind) ([]Target, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if !strings.Contains(args[0], "/") {
		found, err := parseKind(args[0], among)
		if err != nil {
			return nil, err
		}
		if len(args) == 1 {
			return nil, cli.UsageError("%s: name an object, as in %s/NAME", args[0], args[0])
		}
		var targets []Target
		for _, name := range args[1:] {
			if strings.Contains(name, "/") {
				return nil, cli.UsageError("%s: give either KIND/NAME or KIND NAME", strings.Join(args, " "))
			}
			targets = append(targets, Target{Kinds: found, Name: name})
		}
		return targets, nil
	}
	var targets []Target
	for _, arg := range args {
		kind, name, ok := strings.Cut(arg, "/")
		if !ok || name == "" || strings.Contains(name, "/") {
			return nil, cli.UsageError("%s: name an object as KIND/NAME, such as %s/NAME", arg, shortNames(among)[0])
		}
		found, err := parseKind(kind, among)
		if err != nil {
			return nil, err
		}
		targets = append(targets, Target{Kinds: found, Name: name})
	}
	return targets, nil
}

func parseKind(name string, among []*Kind) ([]*Kind, error) {
	if found := called(name, among); len(found) > 0 {
		return found, nil
	}
	if len(called(name, All)) > 0 {
		return nil, cli.UsageError("this command does not take a %s, but these kinds: %s", name, strings.Join(shortNames(among), ", "))
	}
	err := cli.UsageError("%q is not a kind of Bellhop", name)
	return nil, cli.WithHint(err, "kinds are %s", strings.Join(shortNames(among), ", "))
}

// Find reads the object that a target names. Where several kinds have one of that name, the error says how to choose.
func Find(ctx context.Context, c *Clients, namespace string, target Target) (cli.Object, error) {
	if len(target.Kinds) == 1 {
		k := target.Kinds[0]
		object, err := k.Get(ctx, c, namespace, target.Name)
		if apierrors.IsNotFound(err) && !cli.IsNotServed(err) {
			err = hintOfOther(ctx, c, namespace, target.Name, k, err)
		}
		return object, err
	}
	var found []cli.Object
	var failed error
	var searched, hints []string
	for _, k := range target.Kinds {
		object, err := k.Get(ctx, c, namespace, target.Name)
		switch {
		case err == nil:
			found = append(found, object)
		case apierrors.IsNotFound(err) && !cli.IsNotServed(err):
			searched = append(searched, fmt.Sprintf("no %s %q%s", k.Name, target.Name, k.where(namespace)))
			if hint := cli.HintOf(err); hint != "" {
				hints = append(hints, fmt.Sprintf("of kind %s: %s", k.Name, hint))
			}
		default:
			failed = err
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, cli.UsageError("there are a %s and a %s named %q: name one as %s/%s or as %s/%s", target.Kinds[0].Name, target.Kinds[1].Name,
			target.Name, target.Kinds[0].singular(), target.Name, target.Kinds[1].singular(), target.Name)
	case failed != nil:
		return nil, failed
	default:
		return nil, cli.WithHint(fmt.Errorf("there is %s", strings.Join(searched, ", and ")), "%s", strings.Join(hints, "; "))
	}
}

// hintOfOther adds to the error for a name that no object of a kind has a hint that the kind of the other scope has one.
func hintOfOther(ctx context.Context, c *Clients, namespace, name string, k *Kind, err error) error {
	for _, other := range All {
		if strings.TrimPrefix(other.Name, "Cluster") != strings.TrimPrefix(k.Name, "Cluster") || other == k {
			continue
		}
		if _, otherErr := other.get(ctx, c, namespace, name); otherErr == nil {
			return cli.WithHint(err, "there is a %s of that name: %s/%s", other.Name, other.singular(), name)
		}
	}
	return err
}

// WithMissingGroup replaces an error about a kind, by the name that the user gave, where it is one of Bellhop's and its API group is not in
// the cluster.
func WithMissingGroup(ctx context.Context, e *cli.Environment, err error, name string) error {
	for _, k := range called(name, All) {
		if has, discoveryErr := e.HasGroup(ctx, k.Group); !has && discoveryErr == nil {
			return cli.GroupNotInstalled(k.Group)
		}
	}
	return err
}

func (k *Kind) where(namespace string) string {
	if !k.Namespaced {
		return ""
	}
	return fmt.Sprintf(" in namespace %q", namespace)
}

// CompleteTargets completes arguments in the forms of ParseTargets. With single set only one object is completed.
func CompleteTargets(e *cli.Environment, among []*Kind, single bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		kind, _, isPair := strings.Cut(prefix, "/")
		switch {
		case !isPair && (len(args) == 0 || !single && strings.Contains(args[0], "/")):
			var names []string
			for _, name := range shortNames(among) {
				if strings.HasPrefix(name, prefix) {
					names = append(names, name+"/")
				}
			}
			return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		case isPair && (len(args) == 0 || !single):
			return completeNames(e, called(kind, among), kind+"/")(cmd, args, prefix)
		case len(args) > 0 && !strings.Contains(args[0], "/") && (len(args) == 1 || !single):
			return completeNames(e, called(args[0], among), "")(cmd, args, prefix)
		default:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// completeNames completes names of objects of some kinds, after a prefix.
func completeNames(e *cli.Environment, kinds []*Kind, prefix string) cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		clients, err := NewClients(e)
		if err != nil {
			return nil, err
		}
		namespace, err := e.Namespace()
		if err != nil {
			return nil, err
		}
		var names []string
		for _, k := range kinds {
			objects, err := k.List(ctx, clients, namespace)
			if err != nil {
				continue // of the other kinds there are names
			}
			for _, o := range objects {
				names = append(names, prefix+o.GetName())
			}
		}
		return names, nil
	})
}
