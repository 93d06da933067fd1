// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

type register struct {
	scope
	cmd                                *cobra.Command
	write                              *cli.WriteFlags
	wait                               cli.WaitFlags
	url, caFile                        string
	username, secret, secretNamespace  string
	passwordStdin, tokenStdin, skipTLS bool
	relist                             time.Duration
}

func newRegister(e *cli.Environment) *cobra.Command {
	r := &register{scope: scope{e: e}, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "register NAME --url URL",
		Short: "Register a broker",
		Long: `Register a broker, whose catalog is then offered: to all namespaces, or with
--namespaced to this one.

The credentials for the broker are in a Secret: one that exists, --auth-secret,
or one that the command creates from --username and a password, or from a token,
on standard input. The Secret of a ClusterServiceBroker is in the operator's
namespace unless --secret-namespace names another.

The command can be repeated: after a failure, and to correct a broker that it has
registered and whose catalog was never fetched. Other credentials then get a new
Secret, and the former one is deleted. Without flags for credentials the broker
keeps those that it has, and without --ca-file its certificates. The credentials
of a broker whose catalog was fetched are changed in its Secret, and not by this
command.

If the API server refuses the broker, no Secret is left. deregister deletes the
Secret, too.

A Secret with the key token is used as a bearer token, else its keys username and
password as basic authentication. For OAuth 2.0 and client certificates apply a
manifest.`,
		Example: `  # A broker for all namespaces, with a password that is read from standard input
  kubectl bellhop register acme --url https://broker.example.com --username bellhop --password-stdin --wait

  # A broker for this namespace, with a Secret that exists
  kubectl bellhop register team --namespaced --url https://broker.example.com --auth-secret team-broker`,
		Args: cli.OneArgument("NAME", "kubectl get clusterservicebrokers,servicebrokers"),
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args[0]) },
	}
	r.cmd = cmd
	r.addFlag(cmd)
	cmd.Flags().StringVar(&r.url, "url", "", "Address of the broker, without /v2")
	cmd.Flags().StringVar(&r.caFile, "ca-file", "", "File with the certificates, in PEM form, that the broker's is checked with")
	cmd.Flags().BoolVar(&r.skipTLS, "insecure-skip-broker-tls-verify", false, "Accept any certificate of the broker")
	cmd.Flags().StringVar(&r.username, "username", "", "User name for basic authentication; together with --password-stdin")
	cmd.Flags().BoolVar(&r.passwordStdin, "password-stdin", false, "Read the password from standard input, and put both into a Secret")
	cmd.Flags().BoolVar(&r.tokenStdin, "token-stdin", false, "Read a bearer token from standard input, and put it into a Secret")
	cmd.Flags().StringVar(&r.secret, "auth-secret", "", "Name of the Secret with the credentials. Default where one is created: NAME-broker. If register made one of the name before, the new one gets a suffix")
	cmd.Flags().StringVar(&r.secretNamespace, "secret-namespace", cli.OperatorNamespace, "Namespace of the Secret of a ClusterServiceBroker")
	cmd.Flags().DurationVar(&r.relist, "relist-every", 0, "How often the catalog is refreshed, such as 15m. Default: as the operator is configured, once a day")
	r.wait.AddFlags(cmd, "the catalog is fetched", time.Minute)
	r.write.AddFlags(cmd)
	return cmd
}

func (r *register) run(ctx context.Context, name string) error {
	if err := errors.Join(r.write.Validate(), r.validate()); err != nil {
		return err
	}
	r.write.HoldFor(&r.wait)
	spec, err := r.spec()
	if err != nil {
		return err
	}
	secret, err := r.newSecret(name)
	if err != nil {
		return err
	}
	if spec.AuthInfo, err = r.authInfoOf(ctx, secret); err != nil {
		return err
	}
	if !r.makesSecret() {
		secret = nil
	}
	if r.namespaced {
		return r.createLocal(ctx, name, spec, secret)
	}
	return r.createCluster(ctx, name, spec, secret)
}

func (r *register) validate() error {
	parsed, err := url.Parse(r.url)
	switch {
	case r.url == "":
		return cli.UsageError("--url is missing: the address of the broker, such as https://broker.example.com")
	case err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http":
		return cli.UsageError("--url=%s: must be an http or https URL", r.url)
	case r.username != "" && !r.passwordStdin:
		return cli.UsageError("--username needs --password-stdin: a password on the command line could be read by others")
	case r.passwordStdin && r.username == "":
		return cli.UsageError("--password-stdin needs --username")
	case r.passwordStdin && r.tokenStdin:
		return cli.UsageError("--password-stdin and --token-stdin exclude each other")
	case r.relist < 0:
		return cli.UsageError("--relist-every=%s: must not be negative", r.relist)
	case r.namespaced && r.cmd.Flags().Changed("secret-namespace"):
		return cli.UsageError("--secret-namespace does not go with --namespaced: the Secret of a ServiceBroker is in its namespace")
	}
	return nil
}

func (r *register) spec() (v1beta1.CommonServiceBrokerSpec, error) {
	spec := v1beta1.CommonServiceBrokerSpec{URL: r.url, InsecureSkipTLSVerify: r.skipTLS}
	if r.relist > 0 {
		spec.RelistDuration = &metav1.Duration{Duration: r.relist}
	}
	if r.caFile != "" {
		bundle, err := os.ReadFile(r.caFile)
		if err != nil {
			return spec, cli.UsageError("--ca-file: %w", err)
		}
		spec.CABundle = bundle
	}
	return spec, nil
}

// makesSecret reports whether the credentials come from standard input, and not from a Secret that exists.
func (r *register) makesSecret() bool { return r.passwordStdin || r.tokenStdin }

// authInfoOf says how a Secret is used, nil without one. A Secret that exists is read for that.
func (r *register) authInfoOf(ctx context.Context, secret *corev1.Secret) (*v1beta1.AuthInfo, error) {
	switch {
	case secret == nil:
		return nil, nil
	case r.makesSecret() || r.write.IsLocal():
		return r.authInfo(secret), nil
	}
	client, err := secretsIn(r.e, secret.Namespace)
	if err != nil {
		return nil, err
	}
	if secret, err = cli.Get(ctx, client, secret.Name); err != nil {
		return nil, err
	}
	if !secret.DeletionTimestamp.IsZero() {
		return nil, cli.WithHint(fmt.Errorf("%s in namespace %q is being deleted", cli.ResourceName(secret), secret.Namespace), "%s", untilGone(secret))
	}
	return r.authInfo(secret), nil
}

// authInfo refers to a Secret, whose keys say how it is used.
func (r *register) authInfo(secret *corev1.Secret) *v1beta1.AuthInfo {
	reference := &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: secret.Name}}
	if !r.namespaced {
		reference.SecretRef.Namespace = secret.Namespace
	}
	_, inData := secret.Data["token"]
	if _, inText := secret.StringData["token"]; inText || inData {
		return &v1beta1.AuthInfo{Bearer: reference}
	}
	return &v1beta1.AuthInfo{Basic: reference}
}

// newSecret returns the Secret as the flags describe it, nil if they do not.
func (r *register) newSecret(name string) (*corev1.Secret, error) {
	if r.secret == "" && !r.makesSecret() {
		return nil, nil
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: r.secret, Namespace: r.secretNamespace}}
	if secret.Name == "" {
		secret.Name = name + "-broker"
	}
	if r.namespaced {
		namespace, err := r.e.Namespace()
		if err != nil {
			return nil, err
		}
		secret.Namespace = namespace
	}
	if !r.makesSecret() {
		return secret, nil
	}
	r.mark(&secret.ObjectMeta, name)
	line, err := bufio.NewReader(r.e.In).ReadString('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	value := strings.TrimRight(line, "\r\n")
	if value == "" {
		return nil, cli.UsageError("standard input is empty: the password or token is read from it")
	}
	if r.tokenStdin {
		secret.StringData = map[string]string{"token": value}
	} else {
		secret.StringData = map[string]string{"username": r.username, "password": value}
	}
	return secret, nil
}

// mark says that register has made an object for a broker. One that is applied as a manifest is the user's.
func (r *register) mark(object *metav1.ObjectMeta, broker string) {
	if !r.write.IsLocal() {
		metav1.SetMetaDataAnnotation(object, v1beta1.RegisteredForAnnotation, r.label(broker))
	}
}

func (r *register) createCluster(ctx context.Context, name string, spec v1beta1.CommonServiceBrokerSpec, secret *corev1.Secret) error {
	client, err := r.clusterBrokers()
	if err != nil {
		return err
	}
	broker := &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: name}}
	broker.Spec.CommonServiceBrokerSpec = spec
	r.mark(&broker.ObjectMeta, name)
	return (&registration[*v1beta1.ClusterServiceBroker, *v1beta1.ClusterServiceBrokerList]{register: r, client: client, wanted: broker, secret: secret}).run(ctx)
}

func (r *register) createLocal(ctx context.Context, name string, spec v1beta1.CommonServiceBrokerSpec, secret *corev1.Secret) error {
	client, err := r.localBrokers()
	if err != nil {
		return err
	}
	namespace, err := r.e.Namespace()
	if err != nil {
		return err
	}
	broker := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	broker.Spec.CommonServiceBrokerSpec = spec
	r.mark(&broker.ObjectMeta, name)
	return (&registration[*v1beta1.ServiceBroker, *v1beta1.ServiceBrokerList]{register: r, client: client, wanted: broker, secret: secret}).run(ctx)
}
