//go:build !linux

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import "syscall"

func processAttributes() *syscall.SysProcAttr { return nil }
