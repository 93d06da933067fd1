// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gophernetes/bellhop/internal/version"
)

// RegisterBuildInfo registers the metric bellhop_build_info, which is always 1.
func RegisterBuildInfo(registry prometheus.Registerer) error {
	info := version.Get()
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "bellhop_build_info",
		Help:        "Version, commit and version of Go of the running operator. Always 1.",
		ConstLabels: prometheus.Labels{"version": info.Version, "commit": info.Commit, "goversion": info.Go},
	}, func() float64 { return 1 }))
}
