// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/demo/inbox"
)

// deliveryTimeout is how long a notification may take on a busy machine.
const deliveryTimeout = 30 * time.Second

const receiverManifest = `kubectl apply -f - <<EOF
apiVersion: v1
kind: Secret
metadata:
  namespace: %[1]s
  name: inbox
stringData:
  signingSecret: "$SIGNING_SECRET"
---
apiVersion: pager.k8s.co/v1beta1
kind: ClusterReceiver
metadata:
  name: inbox
  annotations:
    pager.k8s.co/is-default-receiver: "true"  # for Alerts that name no receiver
spec:
  webhook:
    url: %[2]s
  secretRef:
    name: inbox
  namespaceSelector: {}                       # Alerts of every namespace may use it
EOF`

const (
	createAlert = `kubectl apply -f - <<EOF
apiVersion: pager.k8s.co/v1beta1
kind: Alert
metadata:
  name: disk-full
spec:
  title: Disk almost full
  content: "node-7 has 3 % left :warning:"
  severity: Critical
EOF`
	waitForAlert     = "kubectl wait --for=condition=Ready --timeout=30s alert/disk-full"
	editContent      = `kubectl patch alert disk-full --type=merge -p '{"spec":{"content":"node-7 has 1 % left :fire:"}}'`
	resolveAlert     = `kubectl patch alert disk-full --type=merge -p '{"spec":{"state":"Resolved"}}'`
	deleteAlert      = "kubectl delete alert disk-full"
	createOldAlert   = "kubectl apply -f config/samples/pager_v1alpha1_alert.yaml"
	getOldAlert      = "kubectl get alerts.v1alpha1.pager.k8s.co kubecon-alert"
	getNewAlert      = "kubectl get alerts.v1beta1.pager.k8s.co kubecon-alert"
	createNamespace  = "kubectl create namespace shop"
	createInstanceIn = `kubectl apply -f - <<EOF
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceInstance
metadata:
  namespace: shop
  name: orders
spec:
  clusterServiceClassExternalName: azure-mysql
  clusterServicePlanExternalName: basic50
EOF`
	waitForInstanceIn = "kubectl wait -n shop --for=condition=Ready --timeout=60s serviceinstance/orders"
	deleteNamespace   = "kubectl delete namespace shop --timeout=60s"
)

// showAlert creates a receiver and an Alert, and shows what was delivered and the status.
func (d *demo) showAlert(ctx context.Context) error {
	d.screen.printStep("1. Create a default receiver: the inbox, with a secret for signatures")
	if err := d.runCommand(ctx, fmt.Sprintf(receiverManifest, d.cluster.Namespace, d.inboxURL)); err != nil {
		return err
	}

	d.screen.printStep("2. Create an Alert")
	if _, err := d.runAndWaitForMessage(ctx, createAlert); err != nil {
		return err
	}

	d.screen.printStep("3. Read its status and its events")
	for _, command := range []string{waitForAlert, "kubectl get alerts -o wide", "kubectl describe alert disk-full | sed -n '/^Events:/,$p'"} {
		if err := d.runCommand(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// runAndWaitForMessage runs a command, and returns the message that it leads to.
func (d *demo) runAndWaitForMessage(ctx context.Context, command string) (inbox.Message, error) {
	if err := d.runCommand(ctx, command); err != nil {
		return inbox.Message{}, err
	}
	message, err := d.waitForMessage(ctx)
	if err != nil {
		// the status of the Alert tells why there was no message
		err = errors.Join(err, d.runCommand(ctx, "kubectl get alerts --all-namespaces -o wide"))
	}
	return message, err
}

// waitForMessage waits for the next message of the inbox.
func (d *demo) waitForMessage(ctx context.Context) (inbox.Message, error) {
	timeout := time.After(deliveryTimeout)
	for {
		if messages := d.inbox.Messages(); len(messages) > d.seen && messages[d.seen].Accepted > 0 {
			d.seen++
			return messages[d.seen-1], nil
		}
		select {
		case <-ctx.Done():
			return inbox.Message{}, context.Cause(ctx)
		case <-d.operator.Ended():
			return inbox.Message{}, errors.New("the operator ended by itself")
		case <-timeout:
			return inbox.Message{}, fmt.Errorf("nothing arrived in the inbox within %s (it refused %d requests)", deliveryTimeout, d.inbox.Refused())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A suggestion is something that the user can do once the demo has shown all steps. The checks run all of them, in order.
type suggestion struct {
	what     string
	commands []string
	// check runs the commands and checks what they lead to. Default: all of them succeed.
	check func(d *demo, ctx context.Context, c *checklist, commands []string) error
}

var suggestions = []suggestion{
	{"change the content of the Alert", []string{editContent}, (*demo).checkEdit},
	{"resolve the Alert", []string{resolveAlert}, (*demo).checkResolve},
	{"delete the Alert", []string{deleteAlert}, nil},
	{"create an Alert in the API's old version, and read it in both", []string{createOldAlert, getOldAlert, getNewAlert}, (*demo).checkVersions},
	{"delete that Alert, which resolves it", []string{"kubectl delete alert kubecon-alert"}, (*demo).checkDelete},
	{"provision the database again", []string{applySamples, waitForSamples}, (*demo).checkAgain},
	{"change its plan", []string{changePlan, waitForPlan}, nil},
	{"use an invalid parameter, which admission refuses", []string{badLocation}, (*demo).checkRefusal},
	{"provision a database asynchronously", []string{addFlexible, waitForFlexible}, (*demo).checkFlexible},
	{"show its URI, with which any MySQL client can log in", []string{showURI}, (*demo).checkURI},
	{"delete all databases", []string{deleteServices}, nil},
	{"delete a namespace with a database in it", []string{createNamespace, createInstanceIn, waitForInstanceIn, deleteNamespace}, nil},
}

func (d *demo) printSuggestions() {
	d.screen.printStep("9. Continue in another terminal")
	show := func(what string, commands ...string) {
		d.screen.printf("\n# %s", what)
		for _, command := range commands {
			d.screen.printf("%s", command) // not indented, so that the user can copy it
		}
	}
	show("use the cluster: this sets PATH, KUBECONFIG and the passwords of the steps above, and changes to the folder of the clone", d.useCluster())
	for _, s := range suggestions {
		show(s.what, s.commands...)
	}
	d.screen.printf("\nThe inbox as a web page: %s\nThe log of the operator: %s\n", d.inboxURL, d.logPath())
	d.screen.printf("The demo runs until Ctrl-C. It prints each notification, and what happens at the broker:\n")
}
