// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

const brokerManifests = `kubectl apply -f - <<EOF
apiVersion: v1
kind: Secret
metadata:
  namespace: %[1]s
  name: mysql-broker
stringData:
  username: bellhop
  password: "$BROKER_PASSWORD"
---
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ClusterServiceBroker
metadata:
  name: mysql
spec:
  url: %[2]s
  authInfo:
    basic:
      secretRef:
        namespace: %[1]s
        name: mysql-broker
EOF`

// The manifests of the samples, which are applied unchanged.
const (
	instanceSample = "config/samples/servicecatalog_v1beta1_serviceinstance.yaml"
	bindingSample  = "config/samples/servicecatalog_v1beta1_servicebinding.yaml"
	applySamples   = "kubectl apply -f " + instanceSample + " -f " + bindingSample
	deleteSamples  = "kubectl delete --timeout=60s -f " + bindingSample + " -f " + instanceSample
	instance       = "serviceinstance/example-mysql-instance"
	binding        = "servicebinding/example-mysql-binding"
	sampleSecret   = "example-mysql-secret"

	waitUntilReady = "kubectl wait --for=condition=Ready --timeout=60s "
	waitForSamples = waitUntilReady + instance + " " + binding
)

// Commands that the demo suggests.
const (
	changePlan  = `kubectl patch ` + instance + ` --type=merge -p '{"spec":{"clusterServicePlanExternalName":"standard100"}}'`
	waitForPlan = "kubectl wait --for=jsonpath='{.status.externalProperties.clusterServicePlanExternalName}'=standard100 --timeout=60s " + instance
	badLocation = `kubectl patch ` + instance + ` --type=merge -p '{"spec":{"parameters":{"location":7}}}'`
	addFlexible = `kubectl apply -f - <<EOF
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceInstance
metadata:
  name: flexible
spec:
  clusterServiceClassExternalName: azure-mysql-flexible
  clusterServicePlanExternalName: burstable10
---
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceBinding
metadata:
  name: flexible
spec:
  instanceRef:
    name: flexible
EOF`
	waitForFlexible = waitUntilReady + "serviceinstance/flexible servicebinding/flexible"
	showURI         = `kubectl get secret flexible -o go-template='{{.data.uri | base64decode}}{{"\n"}}'`
	deleteServices  = "kubectl delete --timeout=60s servicebindings,serviceinstances --all"
)

// What adds credentials to Pods, and a Pod that requests them.
const (
	applyInjection  = "kubectl apply -f config/injection/validating_policy.yaml -f config/injection/mutating_policy.yaml"
	permitInjection = "kubectl label --overwrite namespace default " + v1beta1.InjectionLabel + "=enabled"
	// createBoundPod prints what the Pod would have: variables, mounts and volumes.
	createBoundPod = `kubectl create --dry-run=server -f - -o jsonpath='{range .spec.containers[0].env[*]}{.name}={.value}{.valueFrom}{"\n"}{end}{range .spec.containers[0].volumeMounts[*]}{.mountPath}: {.name}{"\n"}{end}{range .spec.volumes[*]}{.name}: {.secret}{"\n"}{end}' <<EOF
apiVersion: v1
kind: Pod
metadata:
  name: shop
  labels:
    ` + v1beta1.InjectLabel + `: "true"
  annotations:
    ` + v1beta1.InjectBindingsAnnotation + `: example-mysql-binding=example-mysql-secret
    ` + v1beta1.InjectEnvAnnotation + `: DB_URL=example-mysql-binding/uri
spec:
  automountServiceAccountToken: false
  containers:
  - name: shop
    image: shop
EOF`
	// addedToPod is the first of what it prints.
	addedToPod = "SERVICE_BINDING_ROOT=/bindings\n"
)

// serviceResults are what the checks need, recorded while the database exists.
type serviceResults struct {
	secret        credentials
	databases     []string
	row           string
	pod           string // as it would be stored
	wrongPassword error  // of a login with a wrong password
	afterDeletion error  // of a login after the deletion of the binding
}

// showService registers a broker, and provisions, uses and deprovisions a database.
func (d *demo) showService(ctx context.Context) error {
	for _, part := range []struct {
		title string
		show  func(context.Context) error
	}{
		{"4. Register a broker, whose password is in a Secret", d.registerBroker},
		{"5. Provision a database, and bind to it", d.requestDatabase},
		{"6. Use the database, with the credentials in the Secret", d.useDatabase},
		{"7. Let an annotation add the credentials to a Pod (a dry run: there is no node)", d.injectCredentials},
		{"8. Delete the binding and the database", d.deleteDatabase},
	} {
		d.screen.printStep(part.title)
		if err := part.show(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) registerBroker(ctx context.Context) error {
	if err := d.runCommand(ctx, fmt.Sprintf(brokerManifests, d.cluster.Namespace, d.brokerURL)); err != nil {
		return err
	}
	if err := d.waitReady(ctx, "clusterservicebroker/mysql"); err != nil {
		return err
	}
	if err := d.runCommand(ctx, "kubectl get clusterserviceclasses"); err != nil {
		return err
	}
	return d.runCommand(ctx, "kubectl get clusterserviceplans")
}

func (d *demo) requestDatabase(ctx context.Context) error {
	for _, command := range []string{"cat " + instanceSample, "cat " + bindingSample, applySamples} {
		if err := d.runCommand(ctx, command); err != nil {
			return err
		}
	}
	if err := d.waitReady(ctx, instance, binding); err != nil {
		return err
	}
	return d.runCommand(ctx, "kubectl get serviceinstances,servicebindings")
}

// waitReady waits until objects are Ready, and prints their conditions if they are not in time.
func (d *demo) waitReady(ctx context.Context, objects ...string) error {
	err := d.runCommand(ctx, waitUntilReady+strings.Join(objects, " "))
	if err == nil || ctx.Err() != nil {
		return err
	}
	for _, object := range objects {
		err = errors.Join(err, d.runCommand(ctx, "kubectl get "+object+
			` -o jsonpath='{range .status.conditions[*]}{.type} is {.status}, {.reason}: {.message}{"\n"}{end}'`))
	}
	return err
}

func (d *demo) useDatabase(ctx context.Context) error {
	if err := d.runCommand(ctx, "kubectl describe secret "+sampleSecret); err != nil {
		return err
	}
	secret, err := d.credentials(ctx, sampleSecret)
	if err != nil {
		return err
	}
	d.results.secret, d.results.databases, d.results.wrongPassword = secret, d.broker.Databases(), secret.withValue("password", "mistyped").checkLogin(ctx)

	s, err := secret.logIn(ctx)
	if err != nil {
		return fmt.Errorf("logging in with the credentials in the Secret %s: %w", sampleSecret, err)
	}
	defer s.close()
	d.screen.printf("\n  Logged in at %s:%s. In the database:", secret["host"], secret["port"])
	for _, statement := range []string{
		"CREATE TABLE guests (id INT PRIMARY KEY, name VARCHAR(64))",
		"INSERT INTO guests VALUES (1, 'KubeCon 👋')",
		"SELECT id, name FROM guests",
	} {
		d.screen.printCommand("mysql>", statement)
		d.results.row, err = s.query(ctx, statement)
		d.screen.flush()
		if err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		d.screen.printf("  %s", d.results.row)
	}
	return nil
}

func (d *demo) injectCredentials(ctx context.Context) error {
	for _, command := range []string{applyInjection, permitInjection} {
		if err := d.runCommand(ctx, command); err != nil {
			return err
		}
	}
	if err := d.waitForInjection(ctx); err != nil {
		return err
	}
	return d.runCommand(ctx, createBoundPod)
}

// waitForInjection waits until the API server has read the policies.
func (d *demo) waitForInjection(ctx context.Context) (err error) {
	for attempt := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil; <-attempt.C {
		var out []byte
		if out, err = d.runShell(ctx, createBoundPod); err == nil && strings.HasPrefix(string(out), addedToPod) {
			d.results.pod = string(out)
			return nil
		}
	}
	return errors.Join(context.Cause(ctx), err)
}

func (d *demo) deleteDatabase(ctx context.Context) error {
	if err := d.runCommand(ctx, deleteSamples); err != nil {
		return err
	}
	d.results.afterDeletion = d.results.secret.checkLogin(ctx)
	if d.results.afterDeletion == nil {
		return errors.New("the credentials in the Secret are still valid")
	}
	d.screen.printf("\n  Logging in again: %v", d.results.afterDeletion)
	if databases := d.broker.Databases(); len(databases) > 0 {
		return fmt.Errorf("the MySQL server still has databases: %s", strings.Join(databases, ", "))
	}
	d.screen.printf("  Databases left on the MySQL server: none")
	return nil
}
