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

// The operator of Bellhop: it delivers alerts to on-call and chat tools (Alert), and provisions services from Open Service Brokers
// (ServiceInstance, ServiceBinding).
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	pagercontrollers "github.com/gophernetes/bellhop/controllers/pager"
	servicecatalogcontrollers "github.com/gophernetes/bellhop/controllers/servicecatalog"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/operator"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/receivers"
	"github.com/gophernetes/bellhop/internal/version"
	pagerwebhooks "github.com/gophernetes/bellhop/webhooks/pager"
	servicecatalogwebhooks "github.com/gophernetes/bellhop/webhooks/servicecatalog"
)

// mutexSampling is the fraction of mutex contention events in profiles: one in so many.
const mutexSampling = 100

func main() {
	var o operator.Options
	o.Bind(flag.CommandLine)
	flag.Parse()
	if o.PrintHelp {
		operator.WriteHelp(os.Stdout, flag.CommandLine)
		return
	}
	if o.PrintVersion {
		fmt.Fprintln(os.Stdout, version.Get())
		return
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.Log), operator.QuietStart()))
	info := version.Get()
	ctrl.Log.Info("Starting", "version", info.Version, "commit", info.Commit, "goVersion", info.Go)
	if o.PprofAddress != "0" {
		runtime.SetMutexProfileFraction(mutexSampling)
	}
	if err := operator.LimitMemory(); err != nil {
		ctrl.Log.Error(err, "The memory limit is not used")
	}
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "Bellhop ended")
		os.Exit(1)
	}
}

// run runs the operator until stopping ends, and for the shutdown delay after that.
func run(stopping context.Context, o operator.Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	cfg.UserAgent = version.UserAgent()
	serverClock := &apiserver.Clock{}
	cfg.Wrap(serverClock.Observe)
	ctx := operator.Drain(stopping, o.ShutdownDelay)
	cfg.QPS, cfg.Burst = float32(o.APIQPS), max(int(2*o.APIQPS), 1)
	servers, err := operator.NewServers(o)
	if err != nil {
		return err
	}
	guard, err := operator.NewGuard(ctx, cfg, o, servers)
	if err != nil {
		return err
	}
	// Webhooks are served, and so certificates maintained, also while another replica leads.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	serving, err := operator.KeepCertificates(ctx, stop, cfg, servers, o)
	if err != nil {
		return err
	}
	mgr, err := operator.NewManager(stopping, cfg, o, servers, serving)
	if err != nil {
		return fmt.Errorf("setting up the manager: %w", err)
	}
	if err := setup(ctx, stopping, mgr, o, guard, serverClock, servers, serving); err != nil {
		return err
	}
	go operator.ReturnMemory(ctx)
	if err := mgr.Start(ctx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// setup registers everything that the manager runs.
func setup(ctx, stopping context.Context, mgr ctrl.Manager, o operator.Options, guard *outbound.Guard, serverClock *apiserver.Clock, servers *httpserver.Servers, serving []func(*tls.Config)) error {
	recorder := mgr.GetEventRecorder("bellhop")
	paged, err := o.PagedResources()
	if err != nil {
		return err
	}
	posts, err := o.Ingest(mgr, servers, serving)
	if err != nil {
		return err
	}
	instance, err := os.Hostname() // in a Pod, its name
	if err != nil {
		return fmt.Errorf("finding the name of this machine: %w", err)
	}
	for _, s := range []struct {
		name  string
		setup func() error
	}{
		{"indexes", func() error {
			return errors.Join(receivers.AddIndexes(ctx, mgr.GetFieldIndexer()), index.AddIndexes(ctx, mgr.GetFieldIndexer()))
		}},
		{"pager controllers", func() error {
			return pagercontrollers.Setup(ctx, mgr, pagercontrollers.Options{
				Workers: o.AlertWorkers, OperatorNamespace: o.Namespace, Instance: instance, Policy: receivers.Policy(o.ReceiverPolicy), Guard: guard, Recorder: recorder, Metrics: metrics.Registry,
				PagedResources: paged, PageResolveAfter: o.PageResolveAfter, Namespaces: o.Namespaces, Ingest: posts, Lease: operator.LeaseName, ServerClock: serverClock,
			})
		}},
		{"pager webhooks", func() error {
			return pagerwebhooks.Setup(mgr, pagerwebhooks.Options{OperatorNamespace: o.Namespace, Policy: receivers.Policy(o.ReceiverPolicy), Guard: guard})
		}},
		{"servicecatalog controllers", func() error {
			return servicecatalogcontrollers.Setup(ctx, mgr, servicecatalogcontrollers.Options{
				Workers: o.InstanceWorkers, BrokerWorkers: o.BrokerWorkers,
				ClusterID: types.NamespacedName{Namespace: o.Namespace, Name: o.ClusterIDConfigMap},
				Timeout:   o.OSBTimeout, RelistInterval: o.RelistInterval, Guard: guard, Strict: o.BrokerPolicy == string(servicecatalogwebhooks.BrokerPolicyStrict), Recorder: recorder, Metrics: metrics.Registry,
			})
		}},
		{"servicecatalog webhooks", func() error {
			return servicecatalogwebhooks.Setup(mgr, servicecatalogwebhooks.Options{BrokerPolicy: servicecatalogwebhooks.BrokerPolicy(o.BrokerPolicy), Guard: guard})
		}},
		{"build information", func() error { return operator.RegisterBuildInfo(metrics.Registry) }},
		{"panics", func() error { return panics.Register(metrics.Registry) }},
		{"probes", func() error { return operator.AddProbes(ctx, stopping, mgr, servers, o) }},
		{"metrics", func() error { return operator.AddMetrics(ctx, mgr, servers, o) }},
	} {
		if err := s.setup(); err != nil {
			return fmt.Errorf("setting up %s: %w", s.name, err)
		}
	}
	return nil
}
