"""The error of the block device interface."""

from lunaport.blockdev.device import DeviceError, DeviceFault


def test_error_says_fault_and_detail() -> None:
    error = DeviceError(DeviceFault.NO_SPACE, "No space left on device")
    assert error.fault is DeviceFault.NO_SPACE
    assert str(error) == "no space: No space left on device"
