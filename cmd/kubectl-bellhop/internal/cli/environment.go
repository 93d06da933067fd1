// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli has the parts that all commands share: the connection to the cluster, output, dry runs, waiting, and errors with exit codes.
package cli

import (
	"io"
	"net/http"
	"sync/atomic"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
	servicecatalogclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/servicecatalog/v1beta1"
)

// FieldManager owns the fields that the commands write.
const FieldManager = "kubectl-bellhop"

// OperatorNamespace is where make deploy puts the operator, and where the Secrets of cluster-scoped receivers are.
const OperatorNamespace = "bellhop-system"

// OperatorLabels select the Deployments of an operator with both API groups, and of operators with one of them.
const OperatorLabels = "app.kubernetes.io/name=bellhop,control-plane in (controller-manager,pager-controller-manager,servicecatalog-controller-manager)"

// Environment has the streams of a command, and its connection to the cluster.
type Environment struct {
	// IOStreams are for texts: control characters in them are shown, not carried out.
	genericiooptions.IOStreams
	// Raw are the streams themselves: for another program, and for a value that is printed unchanged.
	Raw genericiooptions.IOStreams
	// Connection are kubectl's connection flags, such as --context and --as.
	Connection *genericclioptions.ConfigFlags

	holds    *atomic.Int32
	warnings *warnings
}

// New returns an environment with default connection flags.
func New(streams genericiooptions.IOStreams) *Environment {
	e := &Environment{Raw: streams, IOStreams: genericiooptions.IOStreams{
		In: streams.In, Out: &printable{raw: streams.Out}, ErrOut: &printable{raw: streams.ErrOut},
	}, holds: &atomic.Int32{}}
	e.Connection = genericclioptions.NewConfigFlags(true).WithWarningPrinter(streams)
	e.warnings = &warnings{WarningHandler: rest.NewWarningWriter(streams.ErrOut,
		rest.WarningWriterOptions{Deduplicate: true, Color: printers.AllowsColorOutput(streams.ErrOut)})}
	e.Connection.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.UserAgent = FieldManager + "/" + Version()
		config.QPS = -1 // a command sends few requests
		config.WarningHandler = e.warnings
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return writesOnce{next} })
		return config
	}
	return e
}

// warnings prints the API server's warnings, unless they are off.
type warnings struct {
	rest.WarningHandler
	areOff bool
}

func (w *warnings) HandleWarningHeader(code int, agent, text string) {
	if !w.areOff {
		w.WarningHandler.HandleWarningHeader(code, agent, text)
	}
}

// WithoutWarnings makes a request whose warnings are not shown: a dry run before the request itself.
func (e *Environment) WithoutWarnings(request func() error) error {
	e.warnings.areOff = true
	defer func() { e.warnings.areOff = false }()
	return request()
}

// Silent returns an environment that prints no results.
func (e *Environment) Silent() *Environment {
	quiet := *e
	quiet.Out = io.Discard
	return &quiet
}

// Namespace is the value of --namespace, else the namespace of the kubeconfig's context.
func (e *Environment) Namespace() (string, error) {
	namespace, _, err := e.Connection.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// Config is the configuration of clients.
func (e *Environment) Config() (*rest.Config, error) { return e.Connection.ToRESTConfig() }

// Core returns a client of the core group: Secrets, Pods, Services, Namespaces. The clientset of all built-in groups would make the plugin
// much larger.
func (e *Environment) Core() (coreclient.CoreV1Interface, error) {
	config, err := e.Config()
	if err != nil {
		return nil, err
	}
	return coreclient.NewForConfig(config)
}

// Apps returns a client of the group apps.
func (e *Environment) Apps() (appsclient.AppsV1Interface, error) {
	config, err := e.Config()
	if err != nil {
		return nil, err
	}
	return appsclient.NewForConfig(config)
}

// Pager returns a client of the group pager.k8s.co.
func (e *Environment) Pager() (pagerclient.PagerV1beta1Interface, error) {
	config, err := e.Config()
	if err != nil {
		return nil, err
	}
	return pagerclient.NewForConfig(config)
}

// Services returns a client of the group servicecatalog.k8s.io.
func (e *Environment) Services() (servicecatalogclient.ServicecatalogV1beta1Interface, error) {
	config, err := e.Config()
	if err != nil {
		return nil, err
	}
	return servicecatalogclient.NewForConfig(config)
}

// Data returns where formats that programs read are written: standard output as it is, but for a terminal.
func (e *Environment) Data() io.Writer {
	if printers.IsTerminal(e.Raw.Out) {
		return e.Out
	}
	return e.Raw.Out
}

// Progress returns where progress is written: standard error if it is a terminal, else nowhere.
func (e *Environment) Progress() io.Writer {
	if printers.IsTerminal(e.Raw.ErrOut) {
		return e.ErrOut
	}
	return io.Discard
}

// writesOnce has client-go not repeat a write that a server or a proxy answered with 5xx and Retry-After: it may have been carried out, and the
// answer to its repetition would say that the object exists already, has changed, or does not exist.
type writesOnce struct{ http.RoundTripper }

// RoundTrip removes Retry-After from the response to a write.
func (t writesOnce) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if err == nil && request.Method != http.MethodGet && response.StatusCode >= http.StatusInternalServerError {
		response.Header.Del("Retry-After")
	}
	return response, err
}

// WrappedRoundTripper is the transport that is wrapped, for client-go.
func (t writesOnce) WrappedRoundTripper() http.RoundTripper { return t.RoundTripper }
