// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import "syscall"

// processAttributes create a process group, and make the kernel kill the process when its parent thread ends. Go ends a thread only
// with a goroutine that is locked to it, and this package locks none.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
