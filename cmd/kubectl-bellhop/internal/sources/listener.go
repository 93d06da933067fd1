// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
	"github.com/gophernetes/bellhop/internal/kube/apigroups"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
)

// listener is where senders post.
type listener struct {
	// namespace is the operator's.
	namespace string
	// deployment is nil where it does not exist, or the user may not read it.
	deployment *operator.Deployment
	service    string
	port       int32
}

// findListener reads the settings of the operator that the user may read, and takes the usual names for the rest.
func (c *command) findListener(ctx context.Context) (*listener, error) {
	apps, err := c.Apps()
	if err != nil {
		return nil, err
	}
	core, err := c.Core()
	if err != nil {
		return nil, err
	}
	l := &listener{namespace: c.operatorNamespace, service: endpoint.Service, port: endpoint.Port}
	if l.deployment, err = operator.Find(ctx, apps, c.operatorNamespace, cli.PagerGroup); err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	if l.deployment != nil {
		l.service = cmp.Or(l.deployment.Flag("ingest-service"), l.service)
	}
	service, err := core.Services(c.operatorNamespace).Get(ctx, l.service, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return l, nil
	case err != nil:
		return nil, err
	}
	l.port = portOf(service)
	return l, nil
}

// portOf returns the port of the listener: the one of its name, else the first.
func portOf(service *corev1.Service) int32 {
	for _, port := range service.Spec.Ports {
		if port.Name == endpoint.PortName {
			return port.Port
		}
	}
	if len(service.Spec.Ports) > 0 {
		return service.Spec.Ports[0].Port
	}
	return endpoint.Port
}

// hostname is the name of the listener in its certificate.
func (l *listener) hostname() string { return l.service + "." + l.namespace + ".svc" }

// host is the hostname with the port.
func (l *listener) host() string { return net.JoinHostPort(l.hostname(), strconv.Itoa(int(l.port))) }

func (l *listener) url(source *v1beta1.AlertSource) string {
	return "https://" + l.host() + endpoint.Path(source.Namespace, source.Name)
}

// isOff reports whether the operator is known not to listen.
func (l *listener) isOff() bool { return l.deployment != nil && !l.deployment.Listens() }

// describe describes the listener, as far as it is known.
func (l *listener) describe() string {
	switch {
	case l.deployment == nil:
		return fmt.Sprintf("not known: there is no Deployment of the operator in namespace %s, or you may not read it", l.namespace)
	case l.isOff():
		return fmt.Sprintf("Deployment %s/%s runs without --ingest-bind-address: it does not listen for posts", l.namespace, l.deployment.Name)
	}
	return fmt.Sprintf("Deployment %s/%s listens at %s", l.namespace, l.deployment.Name, l.deployment.Flag("ingest-bind-address"))
}

// certificateSecret is the Secret that has the certificate: the flag's, else the one of the manifests and of the Helm chart, into which another
// program, such as cert-manager, writes it.
func (l *listener) certificateSecret() string {
	const name = "webhook-server-cert"
	if l.deployment == nil {
		return apigroups.All.ObjectName(name)
	}
	return cmp.Or(l.deployment.Flag("webhook-cert-secret"), l.deployment.APIs.ObjectName(name))
}

// authority is the certificate authority of the listener.
type authority struct {
	// pem has certificates only; empty: they are not known, and problem says why.
	pem, problem string
}

// readAuthority reads the certificate authority from the Secret of the operator's certificate, where the user may read that.
func (c *command) readAuthority(ctx context.Context, l *listener) (authority, error) {
	if l.deployment != nil {
		if directory := l.deployment.Flag("ingest-cert-dir"); directory != "" {
			return authority{problem: fmt.Sprintf("the operator serves the certificate in --ingest-cert-dir=%s: use the authority that has signed it", directory)}, nil
		}
	}
	core, err := c.Core()
	if err != nil {
		return authority{}, err
	}
	name := l.certificateSecret()
	where := fmt.Sprintf("key ca.crt of Secret %s in namespace %s", name, l.namespace)
	secret, err := core.Secrets(l.namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return authority{problem: "an administrator can read it: " + where}, nil
	case apierrors.IsNotFound(err):
		return authority{problem: "it does not exist: " + where}, nil
	case err != nil:
		return authority{}, err
	}
	if certificates := onlyCertificates(secret.Data["ca.crt"]); certificates != "" {
		return authority{pem: certificates}, nil
	}
	return authority{problem: "it has no certificate: " + where}, nil
}

// onlyCertificates returns the certificates of a bundle, and nothing else that may be in it.
func onlyCertificates(bundle []byte) string {
	var certificates []byte
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
	}
	return string(certificates)
}
