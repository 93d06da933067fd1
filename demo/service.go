/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const registration = `kubectl create -f - <<EOF
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

// The samples, which are applied as they are.
const (
	instanceSample = "config/samples/servicecatalog_v1beta1_serviceinstance.yaml"
	bindingSample  = "config/samples/servicecatalog_v1beta1_servicebinding.yaml"
	applySamples   = "kubectl apply -f " + instanceSample + " -f " + bindingSample
	instance       = "serviceinstance/example-mysql-instance"
	binding        = "servicebinding/example-mysql-binding"
	sampleSecret   = "example-mysql-secret"
)

// What to play on with. The check runs all of it.
const (
	changePlan  = `kubectl patch ` + instance + ` --type=merge -p '{"spec":{"clusterServicePlanExternalName":"standard100"}}'`
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
	showURI        = `kubectl get secret flexible -o go-template='{{.data.uri | base64decode}}{{"\n"}}'`
	removeServices = "kubectl delete --timeout=60s servicebindings,serviceinstances --all"
)

// findings are what cannot be found out any more once the database is gone.
type findings struct {
	secret    credentials
	databases []string
	row       string
	mistyped  error // from logging in with another password
	refused   error // from logging in after the end
}

// showService does what a user would do, from a broker to a database and back.
func (d *demo) showService(ctx context.Context) error {
	for _, part := range []struct {
		title string
		show  func(context.Context) error
	}{
		{"4. Say where services come from: a broker, whose password is in a Secret", d.registerBroker},
		{"5. Ask for a database, and for a way in", d.askForDatabase},
		{"6. Use it, with what is in the Secret", d.useDatabase},
		{"7. Give it back", d.giveDatabaseBack},
	} {
		d.screen.step(part.title)
		if err := part.show(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) registerBroker(ctx context.Context) error {
	if err := d.run(ctx, fmt.Sprintf(registration, d.cluster.Namespace, d.brokerURL)); err != nil {
		return err
	}
	if err := d.waitReady(ctx, "clusterservicebroker/mysql"); err != nil {
		return err
	}
	if err := d.run(ctx, "kubectl get clusterserviceclasses"); err != nil {
		return err
	}
	return d.run(ctx, "kubectl get clusterserviceplans")
}

func (d *demo) askForDatabase(ctx context.Context) error {
	for _, command := range []string{"cat " + instanceSample, "cat " + bindingSample, applySamples} {
		if err := d.run(ctx, command); err != nil {
			return err
		}
	}
	if err := d.waitReady(ctx, instance, binding); err != nil {
		return err
	}
	return d.run(ctx, "kubectl get serviceinstances,servicebindings")
}

// waitReady waits for objects, and shows what they say of themselves if that is in vain.
func (d *demo) waitReady(ctx context.Context, objects ...string) error {
	err := d.run(ctx, "kubectl wait --for=condition=Ready --timeout=60s "+strings.Join(objects, " "))
	if err == nil || ctx.Err() != nil {
		return err
	}
	for _, object := range objects {
		err = errors.Join(err, d.run(ctx, "kubectl get "+object+
			` -o jsonpath='{range .status.conditions[*]}{.type} is {.status}, {.reason}: {.message}{"\n"}{end}'`))
	}
	return err
}

func (d *demo) useDatabase(ctx context.Context) error {
	if err := d.run(ctx, "kubectl describe secret "+sampleSecret); err != nil {
		return err
	}
	secret, err := d.credentials(ctx, sampleSecret)
	if err != nil {
		return err
	}
	d.found.secret, d.found.databases, d.found.mistyped = secret, d.broker.Databases(), secret.with("password", "mistyped").login(ctx)

	s, err := secret.open(ctx)
	if err != nil {
		return fmt.Errorf("logging in with what is in the Secret %s: %w", sampleSecret, err)
	}
	defer s.close()
	d.screen.say("\n  Logged in at %s:%s. In the database:", secret["host"], secret["port"])
	for _, statement := range []string{
		"CREATE TABLE guests (id INT PRIMARY KEY, name VARCHAR(64))",
		"INSERT INTO guests VALUES (1, 'KubeCon 👋')",
		"SELECT id, name FROM guests",
	} {
		d.screen.command("mysql>", statement)
		d.found.row, err = s.run(ctx, statement)
		d.screen.flush()
		if err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		d.screen.say("  %s", d.found.row)
	}
	return nil
}

func (d *demo) giveDatabaseBack(ctx context.Context) error {
	if err := d.run(ctx, "kubectl delete --timeout=60s -f "+bindingSample+" -f "+instanceSample); err != nil {
		return err
	}
	d.found.refused = d.found.secret.login(ctx)
	if d.found.refused == nil {
		return errors.New("one can still log in with what was in the Secret")
	}
	d.screen.say("\n  Logging in again: %v", d.found.refused)
	if databases := d.broker.Databases(); len(databases) > 0 {
		return fmt.Errorf("the MySQL server still has databases: %s", strings.Join(databases, ", "))
	}
	d.screen.say("  Databases left on the MySQL server: none")
	return nil
}
