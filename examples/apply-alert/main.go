// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command apply-alert creates or changes an Alert by server-side apply, and waits until its receivers have it. Called again with the
// same name it changes the Alert: the receivers get the new content, and none gets the same content twice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagerapply "github.com/gophernetes/bellhop/client/applyconfiguration/pager/v1beta1"
	"github.com/gophernetes/bellhop/client/clientset/versioned"
	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
)

// fieldManager owns the fields that this program applies. Fields of other managers stay as they are, and the API server refuses to
// change them: with ApplyOptions.Force it would hand them over.
const fieldManager = "apply-alert"

// options are the command line's.
type options struct {
	namespace, name, content, severity, receivers string
	timeout                                       time.Duration
}

func main() {
	var o options
	rules := clientcmd.NewDefaultClientConfigLoadingRules() // $KUBECONFIG, else ~/.kube/config
	flag.StringVar(&rules.ExplicitPath, "kubeconfig", "", "kubeconfig to use instead of $KUBECONFIG")
	flag.StringVar(&o.namespace, "namespace", "", "namespace of the Alert; default: that of the kubeconfig")
	flag.StringVar(&o.name, "name", "example", "name of the Alert")
	flag.StringVar(&o.content, "content", "", "text to send")
	flag.StringVar(&o.severity, "severity", string(v1beta1.SeverityWarning), "Info, Warning or Critical")
	flag.StringVar(&o.receivers, "receivers", "", "names of Receivers, separated by commas; default: the default receiver")
	flag.DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait for the receivers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, rules, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "apply-alert:", err)
		os.Exit(1)
	}
}

// run applies the Alert, and prints its status once it is sent.
func run(ctx context.Context, rules clientcmd.ClientConfigLoader, o options, out io.Writer) error {
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return err
	}
	if o.namespace == "" {
		if o.namespace, _, err = kubeconfig.Namespace(); err != nil {
			return err
		}
	}
	clients, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}
	alerts := clients.PagerV1beta1().Alerts(o.namespace)
	applied, err := alerts.Apply(ctx, configuration(o), metav1.ApplyOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "applied generation %d of alert %s in %s\n", applied.Generation, applied.Name, applied.Namespace)

	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	alert, err := waitUntilFinished(ctx, alerts, applied)
	if err != nil {
		return err
	}
	for _, delivery := range alert.Status.Deliveries {
		fmt.Fprintf(out, "%s %s: %s\n", delivery.Kind, delivery.Name, delivery.State)
	}
	if stalled := meta.FindStatusCondition(alert.Status.Conditions, v1beta1.ConditionStalled); stalled.Status == metav1.ConditionTrue {
		return fmt.Errorf("%s: %s", stalled.Reason, stalled.Message)
	}
	return nil
}

// configuration has the fields that this program owns, and no others. A field that it had the last time and does not have now is removed.
func configuration(o options) *pagerapply.AlertApplyConfiguration {
	spec := pagerapply.AlertSpec().WithContent(o.content).WithSeverity(v1beta1.Severity(o.severity))
	for name := range strings.SplitSeq(o.receivers, ",") {
		if name != "" {
			spec.WithReceiverRefs(pagerapply.ReceiverRef().WithKind(v1beta1.KindReceiver).WithName(name))
		}
	}
	return pagerapply.Alert(o.name, o.namespace).WithLabels(map[string]string{"app.kubernetes.io/managed-by": fieldManager}).WithSpec(spec)
}

// waitUntilFinished returns the Alert once the status is about the applied generation and the operator either has sent it, or needs a
// change by a person to send it.
func waitUntilFinished(ctx context.Context, alerts pagerclient.AlertInterface, applied *v1beta1.Alert) (*v1beta1.Alert, error) {
	only := fields.OneTermEqualSelector("metadata.name", applied.Name).String()
	// UntilWithSync lists and watches, and begins again where the API server ends the watch.
	listWatch := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			return alerts.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			return alerts.Watch(ctx, o)
		},
	}
	last, err := watchtools.UntilWithSync(ctx, listWatch, &v1beta1.Alert{}, nil, func(event watch.Event) (bool, error) {
		alert := event.Object.(*v1beta1.Alert)
		if event.Type == watch.Deleted {
			return false, errors.New("the alert was deleted")
		}
		conditions := alert.Status.Conditions
		return alert.Status.ObservedGeneration >= applied.Generation &&
			(meta.IsStatusConditionTrue(conditions, v1beta1.ConditionReady) || meta.IsStatusConditionTrue(conditions, v1beta1.ConditionStalled)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for alert %s: %w", applied.Name, err)
	}
	return last.Object.(*v1beta1.Alert), nil
}
