# shellcheck shell=bash disable=SC2034 # sourced; those who source it use the variables
# What differs between the virtual boards, in one place: `arch_facts ARCH` sets the variables below.
# Every value is a list of plain words, so that board.env can be read by splitting at spaces.

arch_facts() {
  case $1 in
    amd64)
      kernel_package=linux-image-cloud-amd64
      qemu=qemu-system-x86_64
      machine="-M q35 -cpu Nehalem"
      console=ttyS0
      # Not tsc=reliable, though it is read faster: calibrated on a busy machine it runs at a multiple of real time.
      # no_timer_check: on a busy machine the test of the timer fails, and the kernel with it.
      append="no_timer_check random.trust_cpu=on"
      block_device=virtio-blk-pci
      net_device=virtio-net-pci,romfile=
      binfmt=
      ;;
    arm64)
      kernel_package=linux-image-cloud-arm64
      qemu=qemu-system-aarch64
      machine="-M virt -cpu cortex-a53"
      console=ttyAMA0
      append=
      block_device=virtio-blk-device
      net_device=virtio-net-device
      binfmt=qemu-aarch64
      ;;
    armhf)
      kernel_package=linux-image-armmp
      qemu=qemu-system-arm
      machine="-M virt,highmem=off -cpu cortex-a7"
      console=ttyAMA0
      append=
      block_device=virtio-blk-device
      net_device=virtio-net-device
      binfmt=qemu-arm
      ;;
    *)
      return 1
      ;;
  esac
}
