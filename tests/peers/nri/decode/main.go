// The reference that our decoder of NRI's messages is held against: Go's protobuf on the same bytes.
//
// Reads records (method's number u32, length u32, both big-endian, then the message) and writes for each its fields, one a line,
// those that tests/peers/nri_lines.c writes too, or "refused"; then an empty line. Foreign text is escaped alike on both sides.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
)

var out = bufio.NewWriterSize(os.Stdout, 1<<20)

func quote(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; c > ' ' && c < 0x7f && c != '\\' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "\\%02x", c)
		}
	}
	return b.String()
}

func text(name, value string)                               { fmt.Fprintf(out, "%s=%s\n", name, quote(value)) }
func number[T int64 | int32 | uint32](name string, value T) { fmt.Fprintf(out, "%s=%d\n", name, value) }

func pairs(name string, values map[string]string) {
	for key, value := range values {
		fmt.Fprintf(out, "%s[%s]=%s\n", name, quote(key), quote(value))
	}
}

func list(name string, values []string) {
	for i, value := range values {
		fmt.Fprintf(out, "%s[%d]=%s\n", name, i, quote(value))
	}
}

func limit(name string, resources *api.LinuxResources) {
	if l := resources.GetMemory().GetLimit(); l != nil {
		number(name, l.GetValue())
	}
}

func pod(p *api.PodSandbox) {
	if p == nil {
		return
	}
	text("pod.id", p.GetId())
	text("pod.name", p.GetName())
	text("pod.uid", p.GetUid())
	text("pod.namespace", p.GetNamespace())
	text("pod.runtime_handler", p.GetRuntimeHandler())
	text("pod.cgroup_parent", p.GetLinux().GetCgroupParent())
	text("pod.cgroups_path", p.GetLinux().GetCgroupsPath())
	number("pod.pid", p.GetPid())
	number("pod.memory_limit", p.GetLinux().GetPodResources().GetMemory().GetLimit().GetValue())
	pairs("pod.label", p.GetLabels())
	pairs("pod.annotation", p.GetAnnotations())
}

func container(c *api.Container) {
	if c == nil {
		return
	}
	text("container.id", c.GetId())
	text("container.pod_id", c.GetPodSandboxId())
	text("container.name", c.GetName())
	text("container.image", c.GetImage().GetName())
	text("container.cgroups_path", c.GetLinux().GetCgroupsPath())
	text("container.status_reason", c.GetStatusReason())
	text("container.status_message", c.GetStatusMessage())
	number("container.state", uint32(c.GetState()))
	number("container.pid", c.GetPid())
	number("container.exit_code", c.GetExitCode())
	number("container.created_at", c.GetCreatedAt())
	number("container.started_at", c.GetStartedAt())
	number("container.finished_at", c.GetFinishedAt())
	limit("container.memory_limit", c.GetLinux().GetResources())
	if score := c.GetLinux().GetOomScoreAdj(); score != nil {
		number("container.oom_score_adj", score.GetValue())
	}
	if user := c.GetUser(); user != nil {
		number("container.uid", user.GetUid())
		number("container.gid", user.GetGid())
	}
	list("container.env", c.GetEnv())
	list("container.arg", c.GetArgs())
	for i, m := range c.GetMounts() {
		fmt.Fprintf(out, "container.mount[%d]=%s %s %s\n", i, quote(m.GetDestination()), quote(m.GetType()), quote(m.GetSource()))
	}
	pairs("container.annotation", c.GetAnnotations())
	pairs("container.unified", c.GetLinux().GetResources().GetUnified())
}

type carrier interface {
	GetPod() *api.PodSandbox
	GetContainer() *api.Container
}

// Numbers and order as in nri_lines.c: 0 to 13 are NRI's events 1 to 14.
var messages = []func() proto.Message{
	func() proto.Message { return &api.RunPodSandboxRequest{} },
	func() proto.Message { return &api.StopPodSandboxRequest{} },
	func() proto.Message { return &api.RemovePodSandboxRequest{} },
	func() proto.Message { return &api.CreateContainerRequest{} },
	func() proto.Message { return &api.PostCreateContainerRequest{} },
	func() proto.Message { return &api.StartContainerRequest{} },
	func() proto.Message { return &api.PostStartContainerRequest{} },
	func() proto.Message { return &api.UpdateContainerRequest{} },
	func() proto.Message { return &api.PostUpdateContainerRequest{} },
	func() proto.Message { return &api.StopContainerRequest{} },
	func() proto.Message { return &api.RemoveContainerRequest{} },
	func() proto.Message { return &api.UpdatePodSandboxRequest{} },
	func() proto.Message { return &api.PostUpdatePodSandboxRequest{} },
	func() proto.Message { return &api.ValidateContainerAdjustmentRequest{} },
	func() proto.Message { return &api.StateChangeEvent{} },
	func() proto.Message { return &api.ConfigureRequest{} },
	func() proto.Message { return &api.SynchronizeRequest{} },
	func() proto.Message { return &ttrpc.Request{} },
	func() proto.Message { return &ttrpc.Response{} },
	func() proto.Message { return &api.CreateContainerResponse{} },
}

func show(message proto.Message) {
	switch m := message.(type) {
	case *api.ConfigureRequest:
		text("config", m.GetConfig())
		text("runtime_name", m.GetRuntimeName())
		text("runtime_version", m.GetRuntimeVersion())
		text("nri_version", m.GetNRIVersion())
		number("registration_timeout", m.GetRegistrationTimeout())
		number("request_timeout", m.GetRequestTimeout())
	case *api.SynchronizeRequest:
		fmt.Fprintf(out, "more=%t\npods=%d\ncontainers=%d\n", m.GetMore(), len(m.GetPods()), len(m.GetContainers()))
		for _, p := range m.GetPods() {
			pod(p)
		}
		for _, c := range m.GetContainers() {
			container(c)
		}
	case *ttrpc.Request:
		text("service", m.Service)
		text("method", m.Method)
		text("payload", string(m.Payload))
		number("timeout", m.TimeoutNano)
	case *ttrpc.Response:
		number("code", uint32(m.GetStatus().GetCode()))
		text("message", m.GetStatus().GetMessage())
		text("payload", string(m.GetPayload()))
	case *api.CreateContainerResponse: // ours, for once: what a runtime would make of it
		for i, e := range m.GetAdjust().GetEnv() {
			fmt.Fprintf(out, "env[%d]=%s %s\n", i, quote(e.GetKey()), quote(e.GetValue()))
		}
		for i, mount := range m.GetAdjust().GetMounts() {
			fmt.Fprintf(out, "mount[%d]=%s %s %s", i, quote(mount.GetDestination()), quote(mount.GetType()), quote(mount.GetSource()))
			for _, option := range mount.GetOptions() {
				fmt.Fprintf(out, " %s", quote(option))
			}
			fmt.Fprintln(out)
		}
		pairs("unified", m.GetAdjust().GetLinux().GetResources().GetUnified())
		if score := m.GetAdjust().GetLinux().GetOomScoreAdj(); score != nil {
			number("oom_score_adj", score.GetValue())
		}
		fmt.Fprintf(out, "unknown=%d\n", len(m.ProtoReflect().GetUnknown()))
	case carrier:
		pod(m.GetPod())
		container(m.GetContainer())
	case interface{ GetPod() *api.PodSandbox }:
		pod(m.GetPod())
	}
	switch m := message.(type) {
	case *api.StateChangeEvent:
		event := m.GetEvent()
		if event < api.Event_UNKNOWN || event >= api.Event_LAST {
			event = api.Event_UNKNOWN
		}
		number("event", int32(event))
	case *api.UpdateContainerRequest:
		limit("memory_limit", m.GetLinuxResources())
	case *api.UpdatePodSandboxRequest:
		limit("memory_limit", m.GetLinuxResources())
	}
}

func main() {
	defer out.Flush()
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[4:]))
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		message := messages[binary.BigEndian.Uint32(head[:4])]()
		if err := proto.Unmarshal(body, message); err != nil {
			fmt.Fprintln(out, "refused")
		} else {
			show(message)
		}
		fmt.Fprintln(out)
	}
}
