package local

import "syscall"

// processAttributes make a group of its own for a process, and end it with us. The kernel goes by the thread that started
// it; Go ends a thread only with a goroutine that was locked to it, and nobody here locks one.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
