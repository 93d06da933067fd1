// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command watch-alerts prints each change of state of Alerts and ServiceInstances until it is interrupted. It uses a shared informer of
// each kind: they list the objects, watch them, and begin again where the API server ends the watch or restarts.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/client/clientset/versioned"
	"github.com/gophernetes/bellhop/client/informers/externalversions"
)

func main() {
	rules := clientcmd.NewDefaultClientConfigLoadingRules() // $KUBECONFIG, else ~/.kube/config
	flag.StringVar(&rules.ExplicitPath, "kubeconfig", "", "kubeconfig to use instead of $KUBECONFIG")
	namespace := flag.String("namespace", "", "namespace to watch; default: all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, rules, *namespace, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "watch-alerts:", err)
		os.Exit(1)
	}
}

// run prints changes until the context ends.
func run(ctx context.Context, rules clientcmd.ClientConfigLoader, namespace string, out io.Writer) error {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return err
	}
	clients, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := externalversions.NewSharedInformerFactoryWithOptions(clients, 0, externalversions.WithNamespace(namespace))
	alerts := factory.Pager().V1beta1().Alerts()
	instances := factory.Servicecatalog().V1beta1().ServiceInstances()

	// The informers call their handlers at the same time; the logger writes one line at a time.
	lines := log.New(out, "", 0)
	if _, err := alerts.Informer().AddEventHandler(printChanges(lines, "alert", stateOfAlert)); err != nil {
		return err
	}
	if _, err := instances.Informer().AddEventHandler(printChanges(lines, "serviceinstance", stateOfInstance)); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer factory.Shutdown() // waits for the informers, which end with the context
	defer cancel()
	factory.StartWithContext(ctx)
	if err := factory.WaitForCacheSyncWithContext(ctx).AsError(); err != nil {
		return err
	}
	// The listers read the informers' caches, without a request.
	all, err := alerts.Lister().List(labels.Everything())
	if err != nil {
		return err
	}
	lines.Printf("watching, and there are %d alerts", len(all))
	<-ctx.Done()
	return nil
}

// printChanges returns a handler that prints objects that are new, whose state has changed, or that are deleted.
func printChanges[T any](lines *log.Logger, kind string, stateOf func(T) string) cache.ResourceEventHandler {
	line := func(object any, state string) {
		// A deleted object is a DeletedFinalStateUnknown where its deletion was missed, as during a restart of the API server.
		name, err := cache.DeletionHandlingObjectToName(object)
		if err != nil {
			lines.Print(err)
			return
		}
		lines.Printf("%s/%s in %s: %s", kind, name.Name, name.Namespace, state)
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { line(object, stateOf(object.(T))) },
		UpdateFunc: func(before, after any) {
			if state := stateOf(after.(T)); state != stateOf(before.(T)) {
				line(after, state)
			}
		},
		DeleteFunc: func(object any) { line(object, "deleted") },
	}
}

// stateOfAlert is the reason why an Alert is sent, or not yet, and the receivers that have it.
func stateOfAlert(alert *pagerv1beta1.Alert) string {
	ready := meta.FindStatusCondition(alert.Status.Conditions, pagerv1beta1.ConditionReady)
	if ready == nil || ready.Reason == "" {
		return "new"
	}
	return fmt.Sprintf("%s, %s receivers", ready.Reason, alert.Status.Receivers)
}

// stateOfInstance is the reason why an instance is ready, or not yet.
func stateOfInstance(instance *servicecatalogv1beta1.ServiceInstance) string {
	for _, condition := range instance.Status.Conditions {
		if condition.Type == servicecatalogv1beta1.ConditionReady && condition.Reason != "" {
			return condition.Reason
		}
	}
	return "new"
}
