// An ordinary NRI plugin in Go on the stub library: the peer that ours is measured beside, and the second plugin that wants the
// same key. Says each call as a line "METHOD ID" on standard output with -all; answers CreateContainer with what its flags say.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

type pairs [][2]string

func (p *pairs) String() string { return "" }
func (p *pairs) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is not KEY=VALUE", text)
	}
	*p = append(*p, [2]string{key, value})
	return nil
}

var (
	env, unified, annotations pairs
	tmpfs                     = flag.String("tmpfs", "", "where to mount one")
	score                     = flag.Int("oom-score-adj", 0, "0 = leave it")
	delay                     = flag.Duration("delay", 0, "before each answer")
)

// What the stub finds by its methods is what it subscribes to.
type creator struct{}

func (*creator) CreateContainer(_ context.Context, _ *api.PodSandbox, c *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	time.Sleep(*delay)
	adjustment := &api.ContainerAdjustment{}
	for _, e := range env {
		adjustment.AddEnv(e[0], e[1])
	}
	for _, u := range unified {
		adjustment.AddLinuxUnified(u[0], u[1])
	}
	for _, a := range annotations {
		adjustment.AddAnnotation(a[0], a[1])
	}
	if *tmpfs != "" {
		adjustment.AddMount(&api.Mount{Destination: *tmpfs, Type: "tmpfs", Source: "peer", Options: []string{"size=1m"}})
	}
	if *score != 0 {
		adjustment.SetLinuxOomScoreAdj(score)
	}
	return adjustment, nil, nil
}

type all struct{ creator }

func say(what, id string) error {
	_, err := fmt.Println(what, id)
	return err
}

func (*all) Synchronize(_ context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	return nil, say("Synchronize", fmt.Sprint(len(pods), " ", len(containers)))
}
func (*all) RunPodSandbox(_ context.Context, p *api.PodSandbox) error {
	return say("RunPodSandbox", p.Id)
}
func (*all) StopPodSandbox(_ context.Context, p *api.PodSandbox) error {
	return say("StopPodSandbox", p.Id)
}
func (*all) RemovePodSandbox(_ context.Context, p *api.PodSandbox) error {
	return say("RemovePodSandbox", p.Id)
}
func (*all) StartContainer(_ context.Context, _ *api.PodSandbox, c *api.Container) error {
	return say("StartContainer", c.Id)
}
func (*all) PostStartContainer(_ context.Context, _ *api.PodSandbox, c *api.Container) error {
	return say("PostStartContainer", c.Id)
}
func (*all) StopContainer(_ context.Context, _ *api.PodSandbox, c *api.Container) ([]*api.ContainerUpdate, error) {
	return nil, say("StopContainer", c.Id)
}
func (*all) RemoveContainer(_ context.Context, _ *api.PodSandbox, c *api.Container) error {
	return say("RemoveContainer", c.Id)
}

func main() {
	socket := flag.String("socket", api.DefaultSocketPath, "the runtime's")
	name := flag.String("name", "peer", "")
	index := flag.String("idx", "10", "")
	every := flag.Bool("all", false, "subscribe to all events and say them")
	flag.Var(&env, "env", "KEY=VALUE to add")
	flag.Var(&unified, "unified", "KEY=VALUE to set")
	flag.Var(&annotations, "annotation", "KEY=VALUE to add")
	flag.Parse()
	var plugin any = &creator{}
	if *every {
		plugin = &all{}
	}
	s, err := stub.New(plugin, stub.WithPluginName(*name), stub.WithPluginIdx(*index), stub.WithSocketPath(*socket))
	if err == nil {
		err = s.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nri-plugin:", err)
		os.Exit(1)
	}
}
