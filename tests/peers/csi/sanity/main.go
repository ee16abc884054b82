// The CSI project's own conformance suite (csi-test's pkg/sanity) against a node driver of inline volumes, whose kubelet and
// controller this program plays: it hands out what a kubelet would (volume id, pod, attributes), the target path ends as the kubelet's
// does, and the controller that the suite wants for CreateVolume is a few lines of its own. The driver has no mode for tests.
//
//	csi-sanity --endpoint unix:/…/csi.sock --target KUBELET/pods/UID/volumes/kubernetes.io~csi/NAME [--context key=value,…]
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"google.golang.org/grpc"
)

type controller struct {
	csi.UnimplementedControllerServer
	csi.UnimplementedIdentityServer
	id      string
	context map[string]string
}

func (c *controller) CreateVolume(_ context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{VolumeId: c.id, VolumeContext: c.context}}, nil
}

func (c *controller) DeleteVolume(context.Context, *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	return &csi.DeleteVolumeResponse{}, nil
}

func (c *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	return &csi.ControllerGetCapabilitiesResponse{Capabilities: []*csi.ControllerServiceCapability{{
		Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME}}}}}, nil
}

func (c *controller) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: "controller.example.dev", VendorVersion: "1"}, nil
}

func (c *controller) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{{
		Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{Type: csi.PluginCapability_Service_CONTROLLER_SERVICE}}}}}, nil
}

func (c *controller) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

// kubelet says to the driver what a kubelet would: the suite's target path ends with "target", a kubelet's with "mount". And driver and
// controller are one plugin to the suite, which looks in the driver's capabilities for the controller.
func kubelet(c *controller) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		switch r := req.(type) {
		case *csi.NodePublishVolumeRequest:
			r.TargetPath = mount(r.TargetPath)
		case *csi.NodeUnpublishVolumeRequest:
			r.TargetPath = mount(r.TargetPath)
		case *csi.NodeGetVolumeStatsRequest:
			r.VolumePath = mount(r.VolumePath)
		}
		err := invoke(ctx, method, req, reply, cc, opts...)
		if r, ok := reply.(*csi.GetPluginCapabilitiesResponse); ok && err == nil {
			own, _ := c.GetPluginCapabilities(ctx, nil)
			r.Capabilities = append(r.Capabilities, own.Capabilities...)
		}
		return err
	}
}

func mount(path string) string {
	if strings.HasSuffix(path, "/target") {
		return strings.TrimSuffix(path, "target") + "mount"
	}
	return path
}

func kind(path string) (sanity.PathKind, error) {
	info, err := os.Lstat(mount(path))
	switch {
	case os.IsNotExist(err):
		return sanity.PathIsNotFound, nil
	case err != nil:
		return "", err
	case info.IsDir():
		return sanity.PathIsDir, nil
	}
	return sanity.PathIsOther, nil
}

type failed bool

func (f *failed) Fail() { *f = true }

func main() {
	config := sanity.NewTestConfig()
	attributes := ""
	flag.StringVar(&config.Address, "endpoint", "", "of the driver")
	flag.StringVar(&config.TargetPath, "target", "", "KUBELET/pods/UID/volumes/kubernetes.io~csi/NAME; its parent must exist")
	flag.StringVar(&attributes, "context", "type=scratch,size=16Mi", "volumeAttributes")
	flag.Parse()

	uid := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(config.TargetPath))))
	name := filepath.Base(config.TargetPath)
	c := &controller{id: fmt.Sprintf("csi-%x", sha256.Sum256([]byte(uid+name))), context: map[string]string{
		"csi.storage.k8s.io/pod.name": "sanity", "csi.storage.k8s.io/pod.namespace": "default", "csi.storage.k8s.io/pod.uid": uid,
		"csi.storage.k8s.io/ephemeral": "true", "csi.storage.k8s.io/serviceAccount.name": "default"}}
	for _, pair := range strings.Split(attributes, ",") {
		key, value, _ := strings.Cut(pair, "=")
		c.context[key] = value
	}

	directory, err := os.MkdirTemp("", "csi-controller-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	listener, err := net.Listen("unix", filepath.Join(directory, "csi.sock"))
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	csi.RegisterControllerServer(server, c)
	csi.RegisterIdentityServer(server, c)
	go server.Serve(listener)

	config.ControllerAddress = "unix:" + listener.Addr().String()
	config.StagingPath = ""
	config.CheckPath = kind
	config.DialOptions = append(config.DialOptions, grpc.WithUnaryInterceptor(kubelet(c)))
	var result failed
	sanity.Test(&result, config)
	server.Stop()
	os.RemoveAll(directory)
	if result {
		os.Exit(1)
	}
}
