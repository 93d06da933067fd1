// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	servicecatalogclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// credentials are the values in the Secret of a binding.
type credentials struct {
	binding *servicecatalogv1beta1.ServiceBinding
	// secret is the name of the Secret.
	secret string
	// data has the keys that the flags select.
	data map[string][]byte
	// others are keys of the Secret that the binding did not write.
	others []string
}

// keyFlags select keys of a Secret.
type keyFlags struct {
	all  bool
	omit []string
}

func (f *keyFlags) addFlags(cmd *cobra.Command, e *cli.Environment) {
	cmd.Flags().BoolVar(&f.all, "all-keys", false, "Also the keys of the Secret that the binding did not write")
	cmd.Flags().StringSliceVar(&f.omit, "omit", nil, "Keys of the Secret to leave out")
	cli.CompleteFlag(cmd, "omit", completeKey(e, &keyFlags{all: true}))
}

func bindings(e *cli.Environment) (servicecatalogclient.ServiceBindingInterface, error) {
	namespace, err := e.Namespace()
	if err != nil {
		return nil, err
	}
	services, err := e.Services()
	if err != nil {
		return nil, err
	}
	return services.ServiceBindings(namespace), nil
}

// read reads the credentials of a binding that is Ready.
func (f *keyFlags) read(ctx context.Context, e *cli.Environment, name string) (*credentials, error) {
	client, err := bindings(e)
	if err != nil {
		return nil, err
	}
	binding, err := cli.Get[*servicecatalogv1beta1.ServiceBinding, *servicecatalogv1beta1.ServiceBindingList](ctx, client, name)
	if err != nil {
		return nil, err
	}
	if health := cli.HealthOf(binding); !health.Ready {
		return nil, notReady(binding, health)
	}
	secret, err := readSecret(ctx, e, binding)
	if err != nil {
		return nil, err
	}
	c := &credentials{binding: binding, secret: secret.Name, data: map[string][]byte{}}
	own, recorded := bindingsecret.Keys(secret)
	for key, value := range secret.Data {
		if recorded && !f.all && !slices.Contains(own, key) {
			c.others = append(c.others, key)
			continue
		}
		c.data[key] = value
	}
	return c, nil
}

// notReady is the error of a binding whose credentials cannot be used.
func notReady(binding *servicecatalogv1beta1.ServiceBinding, health cli.Health) error {
	err := cli.StalledError("%s is not ready: %s", cli.ResourceName(binding), health)
	if health.Stalled {
		return cli.WithHint(err, "kubectl bellhop describe binding/%s explains its conditions", binding.Name)
	}
	return cli.WithHint(err, "kubectl wait --for=condition=Ready servicebinding/%s waits for it, as kubectl bellhop bind --wait does", binding.Name)
}

// readSecret reads the Secret of a binding.
func readSecret(ctx context.Context, e *cli.Environment, binding *servicecatalogv1beta1.ServiceBinding) (*corev1.Secret, error) {
	core, err := e.Core()
	if err != nil {
		return nil, err
	}
	name := catalog.SecretName(binding)
	secret, err := core.Secrets(binding.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return nil, cli.WithHint(err, "the credentials are in Secret %q; an administrator can allow to read it, by a RoleBinding and this Role: "+
			"kubectl create role NAME --verb=get --resource=secrets --resource-name=%s --namespace=%s", name, name, binding.Namespace)
	case apierrors.IsNotFound(err):
		return nil, cli.WithHint(cli.StalledError("Secret %q of %s does not exist", name, cli.ResourceName(binding)),
			"the operator writes a Secret that was deleted again; kubectl bellhop describe binding/%s shows whether it can", binding.Name)
	case err != nil:
		return nil, err
	case !bindingsecret.IsOwned(secret, binding):
		return nil, cli.WithHint(cli.StalledError("Secret %q exists and does not belong to %s", name, cli.ResourceName(binding)),
			"kubectl bellhop describe binding/%s explains its conditions", binding.Name)
	}
	return secret, nil
}

// get returns the value of a key.
func (c *credentials) get(key string) ([]byte, error) {
	if value, ok := c.data[key]; ok {
		return value, nil
	}
	err := fmt.Errorf("there is no key %q in Secret %q", key, c.secret)
	if slices.Contains(c.others, key) {
		err = fmt.Errorf("key %q of Secret %q was not written by the binding", key, c.secret)
		return nil, cli.WithHint(err, "--all-keys also shows such keys")
	}
	return nil, cli.WithHint(err, "%s", cli.Suggestion(key, slices.Collect(maps.Keys(c.data))))
}

// without returns the data without the keys of --omit.
func (c *credentials) without(omit []string) (map[string][]byte, error) {
	data := maps.Clone(c.data)
	for _, key := range omit {
		if _, err := c.get(key); err != nil {
			return nil, fmt.Errorf("--omit: %w", err)
		}
		delete(data, key)
	}
	return data, nil
}
