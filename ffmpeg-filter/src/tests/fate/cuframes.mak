# Frames are published by one process and read by another; libcuframes has to be where the loader finds it.
FATE_CUFRAMES_FORMATS = nv12 yuv420p p010le gray rgb24 bgr24 rgba bgra
FATE_CUFRAMES = $(FATE_CUFRAMES_FORMATS:%=fate-cuframes-%) fate-cuframes-restart

$(foreach F,$(FATE_CUFRAMES_FORMATS),$(eval fate-cuframes-$(F): CMD = runlocal cuframes.sh $(TARGET_PATH)/ffmpeg$(PROGSSUF)$(EXESUF) $(TARGET_PATH)/ffprobe$(PROGSSUF)$(EXESUF) $(F)))
fate-cuframes-restart: CMD = runlocal cuframes.sh $(TARGET_PATH)/ffmpeg$(PROGSSUF)$(EXESUF) $(TARGET_PATH)/ffprobe$(PROGSSUF)$(EXESUF) nv12 3

FATE_CUFRAMES-$(call ALLYES, CUFRAMES_DEMUXER CUDA_IPC_EXPORT_FILTER LAVFI_INDEV TESTSRC2_FILTER SETPARAMS_FILTER SCALE_FILTER RAWVIDEO_DEMUXER RAWVIDEO_ENCODER RAWVIDEO_MUXER WRAPPED_AVFRAME_ENCODER NULL_MUXER FRAMECRC_MUXER) += $(FATE_CUFRAMES)

$(FATE_CUFRAMES): ffprobe$(PROGSSUF)$(EXESUF)
FATE_FFMPEG += $(FATE_CUFRAMES-yes)
fate-cuframes: $(FATE_CUFRAMES-yes)
